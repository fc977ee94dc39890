// SPDX-License-Identifier: Apache-2.0 OR MIT
import java.net.InetAddress;
import java.util.Hashtable;
import javax.naming.directory.InitialDirContext;

/** Asks as most programs do, by way of the system's library, and by Java's own client, which JNDI is. */
class Resolve {
    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("jndi")) {
            ask(arguments[1]);
        } else {
            for (var address : InetAddress.getAllByName(arguments[1])) {
                System.out.println(address.getHostAddress());
            }
        }
    }

    private static void ask(String name) throws Exception {
        var environment = new Hashtable<String, String>();
        environment.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
        environment.put("java.naming.provider.url", "dns:");
        for (var kind : new String[] {"A", "AAAA"}) {
            // Asked for both at once, it would ask for records of any kind.
            var found = new InitialDirContext(environment).getAttributes(name, new String[] {kind}).get(kind);
            for (var index = 0; found != null && index < found.size(); index++) {
                System.out.println(found.get(index));
            }
        }
    }
}
