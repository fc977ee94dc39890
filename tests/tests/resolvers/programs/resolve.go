// SPDX-License-Identifier: Apache-2.0 OR MIT
package main

import (
	"fmt"
	"log"
	"net"
	"os"
)

func main() {
	addresses, err := net.LookupHost(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for _, address := range addresses {
		fmt.Println(address)
	}
}
