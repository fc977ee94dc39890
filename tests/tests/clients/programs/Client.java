// SPDX-License-Identifier: Apache-2.0 OR MIT
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/** Java keeps the address that it dialled and never asks for the peer's. */
class Client {
    public static void main(String[] arguments) throws Exception {
        var host = arguments[0].contains(":") ? "[" + arguments[0] + "]" : arguments[0];
        var uri = URI.create("http://" + host + ":" + arguments[1] + "/");
        var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(30)).build();
        System.out.print(client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString()).body());
    }
}
