/*
 * pocket_plugin.h - the C interface of native Pocket plugins, version 1.
 *
 * A plugin is a shared library that exports the functions below. Pocket loads it in a process of its own, confined before
 * any of the plugin's code runs: no sockets, no programs, no files but the system's libraries and the folders that the
 * user granted. The engine's address space is never the plugin's: everything here crosses a process border.
 *
 * Texts
 *   Every text is UTF-8 with a length and need not end in a zero byte. `data` may be NULL when `size` is 0.
 *   Texts that Pocket passes in belong to Pocket and live until the function returns: copy what you keep.
 *   The result of `pocket_plugin_run` and the error of `pocket_plugin_start` belong to the plugin; Pocket copies them and
 *   then gives them back to `pocket_plugin_free`, once.
 *
 * Threads
 *   In one process Pocket calls one exported function at a time, never two at once. Do not rely on which thread it is.
 *   A plugin may start threads of its own. The functions of `pocket_host` may be called from any of them.
 *
 * Exceptions
 *   No exception may leave a function: the process would end, and the call with it. Its error has what C++ says then, the
 *   exception's type and `what()`.
 *
 * Processes
 *   There is one process, or as many as `instances` in the manifest says, which share nothing.
 *   A process lasts from the first call to `pocket_plugin_stop`, so state in memory may be kept between calls, but a
 *   call that exceeds its deadline or crashes ends the process, and the next call gets a new one. Keep nothing that
 *   cannot be made again.
 *
 * Compatibility
 *   A later version of Pocket serves this version of the interface. `pocket_host` only ever grows at its end; `size` says
 *   how far it reaches.
 *
 * The header is C89 and C++. Define POCKET_PLUGIN_NO_PROTOTYPES before including it when a tool declares the exported
 * functions by itself (cgo does).
 */
#ifndef POCKET_PLUGIN_H
#define POCKET_PLUGIN_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What `pocket_plugin_abi` returns. */
#define POCKET_PLUGIN_ABI 1u

#if defined(__GNUC__)
#define POCKET_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define POCKET_PLUGIN_EXPORT
#endif

/* Text with a length. */
typedef struct pocket_text {
    const char *data;
    size_t size; /* bytes */
} pocket_text;

/* Text that the plugin made, see "Texts" above. */
typedef struct pocket_buffer {
    char *data;
    size_t size; /* bytes */
} pocket_buffer;

/* Levels of `log`. */
#define POCKET_LOG_DEBUG 0
#define POCKET_LOG_INFO 1
#define POCKET_LOG_WARN 2
#define POCKET_LOG_ERROR 3

/* What `connect` returns instead of a descriptor, and `http` instead of 0. */
#define POCKET_CONNECT_DENIED (-1)      /* not asked for in the manifest, or not granted by the user */
#define POCKET_CONNECT_FAILED (-2)      /* unknown host, refused, unreachable */
#define POCKET_CONNECT_TIMEOUT (-3)     /* the call's deadline passed first */
#define POCKET_CONNECT_UNAVAILABLE (-4) /* no call is running, or the engine is gone */

/* What Pocket offers. Valid until `pocket_plugin_stop` returns. */
typedef struct pocket_host {
    /* sizeof(pocket_host) as Pocket knows it. */
    size_t size;

    /* Writes a line to the plugin's log. Long texts are cut. */
    void (*log)(int level, pocket_text text);

    /*
     * Opens a TCP connection to a host and port for which the plugin asked in its manifest (`permissions: network`) and
     * which the user granted. The engine resolves the name and connects, within the deadline of the call that is running.
     * Returns a connected descriptor in blocking mode, which now belongs to the plugin: read, write and close it. Or
     * returns one of POCKET_CONNECT_*, with the reason in `error`: at most `error_capacity` bytes, ending in a zero byte.
     */
    int (*connect)(pocket_text host, unsigned int port, char *error, size_t error_capacity);

    /*
     * This and what follows is there if `size` reaches so far. Sends an HTTP request to a host and port for which the plugin asked in
     * its manifest (`permissions: http`) and which the user granted, within the deadline of the call that is running. Each
     * redirect is checked like the request. `request` is JSON:
     *   {"method": "GET", "url": "https://...", "headers": {"accept": "text/plain"}, "redirects": "follow" | "return"}
     * of which only `url` must be there; `body` is sent after it. Returns 0, with the answer's bytes in `answer` and in `head`
     *   {"status": 200, "url": "https://...", "headers": [["content-type", "text/plain"], ...]}
     * or one of POCKET_CONNECT_*, with the reason in `head` as text. Give both back to `release`, once each, in any case.
     */
    int (*http)(pocket_text request, pocket_text body, pocket_buffer *head, pocket_buffer *answer);

    /* Takes back a buffer that `http` filled. */
    void (*release)(pocket_buffer buffer);
} pocket_host;

#ifndef POCKET_PLUGIN_NO_PROTOTYPES

/* Returns POCKET_PLUGIN_ABI. Called first; a library that returns another number is not used further. */
POCKET_PLUGIN_EXPORT unsigned int pocket_plugin_abi(void);

/*
 * Optional. Called once, before the first call. `settings` is a JSON object with the plugin's settings.
 * Returns 0, or 1 with the reason in `error` as text or as an error object (see `pocket_plugin_run`).
 */
POCKET_PLUGIN_EXPORT int pocket_plugin_start(const pocket_host *host, pocket_text settings, pocket_buffer *error);

/*
 * Runs a node.
 *   node     its type, such as `redis-get`
 *   config   its configuration, JSON
 *   input    its input, JSON
 *   context  {"run_id","node","attempt","deadline_ms","plugin","version","settings":{...}}, JSON
 * Returns 0 with {"output": <any>, "action": "found"} in `result` (without `action` the default one is taken), or 1 with
 * {"kind": "invalid_input" | "failed" | "retryable" | "timeout", "message": "...", "details": <any>}, or with plain text,
 * which counts as the message of a `failed`.
 */
POCKET_PLUGIN_EXPORT int pocket_plugin_run(pocket_text node, pocket_text config, pocket_text input, pocket_text context,
                                           pocket_buffer *result);

/* Releases a buffer that this plugin filled. Called also for a buffer that it left empty. */
POCKET_PLUGIN_EXPORT void pocket_plugin_free(pocket_buffer buffer);

/* Optional. Called once before the process ends in good order. Has one second. */
POCKET_PLUGIN_EXPORT void pocket_plugin_stop(void);

/*
 * Optional. The plugin's manifest as JSON, with the fields of manifest.yaml: used when the library stands alone, without
 * a manifest beside it. May be called without `pocket_plugin_start`. The text belongs to the plugin and must live as long as it.
 */
POCKET_PLUGIN_EXPORT pocket_text pocket_plugin_describe(void);

#endif /* POCKET_PLUGIN_NO_PROTOTYPES */

#ifdef __cplusplus
}
#endif

#endif /* POCKET_PLUGIN_H */
