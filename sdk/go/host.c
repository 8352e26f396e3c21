/* Go cannot call function pointers of C by itself. */
#define POCKET_PLUGIN_NO_PROTOTYPES
#include "pocket_plugin.h"

void pocket_go_log(const pocket_host *host, int level, const char *data, size_t size)
{
    pocket_text text;
    text.data = data;
    text.size = size;
    host->log(level, text);
}

int pocket_go_connect(const pocket_host *host, const char *data, size_t size, unsigned int port, char *error,
                      size_t capacity)
{
    pocket_text name;
    name.data = data;
    name.size = size;
    return host->connect(name, port, error, capacity);
}

int pocket_go_http(const pocket_host *host, pocket_text request, pocket_text body, pocket_buffer *head,
                   pocket_buffer *answer)
{
    if (host->size < offsetof(pocket_host, release) + sizeof host->release) {
        return POCKET_CONNECT_UNAVAILABLE;
    }
    return host->http(request, body, head, answer);
}

void pocket_go_release(const pocket_host *host, pocket_buffer buffer)
{
    if (buffer.data != NULL) {
        host->release(buffer);
    }
}
