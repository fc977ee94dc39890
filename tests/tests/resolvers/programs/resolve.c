// SPDX-License-Identifier: Apache-2.0 OR MIT
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int count, char **arguments)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	if (count != 2)
		return 2;
	int failed = getaddrinfo(arguments[1], NULL, &hints, &found);
	if (failed) {
		fprintf(stderr, "%s\n", gai_strerror(failed));
		return 1;
	}

	char ip[64];
	for (; found; found = found->ai_next)
		if (getnameinfo(found->ai_addr, found->ai_addrlen, ip, sizeof(ip), NULL, 0, NI_NUMERICHOST) == 0)
			puts(ip);
	return 0;
}
