/* The node type `{{node}}`: gives its input back in capital letters.
 * The stack's size is given to the linker, which reserves 16 MiB otherwise; they count as the plugin's memory. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(name)))

typedef struct { char *data; size_t size; } text;
typedef struct { uint32_t is_error; text text; } result;

/* The input is taken for a JSON text without escapes; a real plugin uses a JSON library. */
static result call(text node, text config, text input, text context)
{
    static const char head[] = "{\"output\":";
    size_t i, size = sizeof head - 1 + input.size + 1;
    char *data = malloc(size);
    (void)node, (void)config, (void)context;
    if (data == NULL) {
        abort();
    }
    memcpy(data, head, sizeof head - 1);
    for (i = 0; i < input.size; i++) {
        data[sizeof head - 1 + i] = (char)toupper((unsigned char)input.data[i]);
    }
    data[size - 1] = '}';
    return (result){0, {data, size}};
}

/* What follows is the same in every plugin. */

/* The engine allocates the parameters with it. */
EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    void *data = realloc(old, size ? size : 1);
    (void)old_size, (void)align;
    if (data == NULL) {
        abort();
    }
    return data;
}

/* The engine calls it when it has read the result. */
EXPORT("cabi_post_run") void cabi_post_run(result *done)
{
    free(done->text.data);
}

EXPORT("run") result *run(char *node, size_t node_size, char *config, size_t config_size, char *input, size_t input_size,
                          char *context, size_t context_size)
{
    static result done;
    done = call((text){node, node_size}, (text){config, config_size}, (text){input, input_size},
                (text){context, context_size});
    free(node), free(config), free(input), free(context);
    return &done;
}
