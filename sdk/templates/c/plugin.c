/* The node type `{{node}}`: gives its input back in capital letters. */
#include "pocket_plugin.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

unsigned int pocket_plugin_abi(void)
{
    return POCKET_PLUGIN_ABI;
}

/* The input is taken for a JSON text without escapes; a real plugin uses a JSON library. */
int pocket_plugin_run(pocket_text node, pocket_text config, pocket_text input, pocket_text context, pocket_buffer *result)
{
    static const char head[] = "{\"output\":";
    size_t i, size = sizeof head - 1 + input.size + 1;
    char *data = malloc(size);
    (void)node, (void)config, (void)context;
    if (data == NULL) {
        return 1;
    }
    memcpy(data, head, sizeof head - 1);
    for (i = 0; i < input.size; i++) {
        data[sizeof head - 1 + i] = (char)toupper((unsigned char)input.data[i]);
    }
    data[size - 1] = '}';
    result->data = data;
    result->size = size;
    return 0;
}

void pocket_plugin_free(pocket_buffer buffer)
{
    free(buffer.data);
}
