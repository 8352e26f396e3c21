/* A native plugin whose nodes end in every way. */
#include "pocket_plugin.h"

#include <stdlib.h>
#include <string.h>

unsigned int pocket_plugin_abi(void) { return POCKET_PLUGIN_ABI; }

static int answer(pocket_buffer *result, int code, const char *before, pocket_text text, const char *after)
{
    result->size = strlen(before) + text.size + strlen(after);
    result->data = malloc(result->size + 1);
    memcpy(result->data, before, strlen(before));
    memcpy(result->data + strlen(before), text.data, text.size);
    memcpy(result->data + strlen(before) + text.size, after, strlen(after));
    return code;
}

int pocket_plugin_run(pocket_text node, pocket_text config, pocket_text input, pocket_text context, pocket_buffer *result)
{
    const pocket_text nothing = {"", 0};
    (void)config;
    (void)context;
    switch (node.data[0]) {
    case 'e': /* echo */
        return answer(result, 0, "{\"output\":", input, "}");
    case 't': /* trap */
        *(volatile int *)8 = 1;
        break;
    case 'l': /* loop */
        for (;;) {
        }
    case 'm': /* memory */
        for (;;) {
            char *block = malloc(1 << 20);
            if (block) {
                memset(block, 1, 1 << 20);
            }
        }
    default:
        break;
    }
    return answer(result, 1, "no", nothing, "");
}

void pocket_plugin_free(pocket_buffer buffer) { free(buffer.data); }
