// SPDX-License-Identifier: Apache-2.0 OR MIT
import { get } from "node:http";

const [host, port] = process.argv.slice(2);
get({ host, port, timeout: 30000 }, (response) => {
  console.log("peer", response.socket.remoteAddress, response.socket.remotePort);
  response.pipe(process.stdout);
});
