// SPDX-License-Identifier: Apache-2.0 OR MIT
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **arguments)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *to;
	if (count != 3 || getaddrinfo(arguments[1], arguments[2], &hints, &to) != 0)
		return 2;
	int connection = socket(to->ai_family, SOCK_STREAM, 0);
	if (connect(connection, to->ai_addr, to->ai_addrlen) != 0) {
		perror("connect");
		return 1;
	}

	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	char ip[64], port[8];
	if (getpeername(connection, (struct sockaddr *)&peer, &length) != 0 ||
	    getnameinfo((struct sockaddr *)&peer, length, ip, sizeof(ip), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return 1;
	printf("peer %s %s\n", ip, port);
	fflush(stdout);

	dprintf(connection, "GET / HTTP/1.0\r\n\r\n");
	char part[4096];
	ssize_t received;
	while ((received = read(connection, part, sizeof(part))) > 0)
		fwrite(part, 1, received, stdout);
	return received < 0;
}
