// SPDX-License-Identifier: Apache-2.0 OR MIT
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"
)

func main() {
	connection, err := net.DialTimeout("tcp", net.JoinHostPort(os.Args[1], os.Args[2]), 30*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	peer := connection.RemoteAddr().(*net.TCPAddr)
	fmt.Println("peer", peer.IP, peer.Port)
	if _, err := io.WriteString(connection, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		log.Fatal(err)
	}
	if _, err := io.Copy(os.Stdout, connection); err != nil {
		log.Fatal(err)
	}
}
