// SPDX-License-Identifier: Apache-2.0 OR MIT
import { Resolver, lookup } from "node:dns/promises";

const [way, name] = process.argv.slice(2);
if (way === "lookup") {
  // By the system's library.
  const found = await lookup(name, { all: true });
  found.forEach(({ address }) => console.log(address));
} else {
  // By c-ares.
  const resolver = new Resolver();
  console.log("servers", resolver.getServers().join(" "));
  // One after the other: an error is told in words, not thrown.
  for (const kind of ["A", "AAAA"]) {
    try {
      (await resolver.resolve(name, kind)).forEach((address) => console.log(address));
    } catch (error) {
      console.log(kind, error.code);
    }
  }
}
