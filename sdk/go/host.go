package pocket

/*
#define POCKET_PLUGIN_NO_PROTOTYPES
#include "pocket_plugin.h"

void pocket_go_log(const pocket_host *host, int level, const char *data, size_t size);
int pocket_go_connect(const pocket_host *host, const char *data, size_t size, unsigned int port, char *error,
                      size_t capacity);
int pocket_go_http(const pocket_host *host, pocket_text request, pocket_text body, pocket_buffer *head,
                   pocket_buffer *answer);
void pocket_go_release(const pocket_host *host, pocket_buffer buffer);
*/
import "C"

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"unsafe"
)

// A Level says how much a line of the log matters.
type Level int

// The levels of [Log].
const (
	Debug Level = C.POCKET_LOG_DEBUG
	Info  Level = C.POCKET_LOG_INFO
	Warn  Level = C.POCKET_LOG_WARN
	Err   Level = C.POCKET_LOG_ERROR
)

// ErrNotGranted is for an address that the manifest does not ask for or the user did not grant.
var ErrNotGranted = errors.New("not granted")

// Log writes a line to the plugin's log.
func Log(level Level, format string, arguments ...any) {
	if host == nil {
		return
	}
	text := []byte(fmt.Sprintf(format, arguments...))
	C.pocket_go_log(host, C.int(level), (*C.char)(unsafe.Pointer(unsafe.SliceData(text))), C.size_t(len(text)))
}

// Connect opens a TCP connection to a host and port for which the plugin asked in its manifest and which the user granted.
// It works during a call, within the call's deadline.
func Connect(name string, port uint16) (net.Conn, error) {
	if host == nil {
		return nil, errors.New("connections are made during a call only")
	}
	var reason [512]C.char
	text := []byte(name)
	descriptor := C.pocket_go_connect(host, (*C.char)(unsafe.Pointer(unsafe.SliceData(text))), C.size_t(len(text)),
		C.uint(port), &reason[0], C.size_t(len(reason)))
	if descriptor < 0 {
		return nil, refusal(descriptor, C.GoString(&reason[0]))
	}
	file := os.NewFile(uintptr(descriptor), net.JoinHostPort(name, fmt.Sprint(port)))
	defer file.Close() // the connection has a copy of the descriptor
	return net.FileConn(file)
}

// A Request is an HTTP request. Only URL must be set.
type Request struct {
	Method  string            `json:"method,omitempty"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	// Redirects is "follow", the default, or "return".
	Redirects string `json:"redirects,omitempty"`
	Body      []byte `json:"-"`
}

// A Response is what a server answered.
type Response struct {
	Status int `json:"status"`
	// URL is where the answer came from, after all redirects.
	URL string `json:"url"`
	// Headers are names in lower case with their values.
	Headers [][2]string `json:"headers"`
	Body    []byte      `json:"-"`
}

// Fetch sends an HTTP request to a host and port for which the plugin asked in its manifest and which the user granted. The
// engine makes it, within the call's deadline; the package net/http cannot, since the process has no sockets.
func Fetch(request Request) (*Response, error) {
	if host == nil {
		return nil, errors.New("requests are made during a call only")
	}
	encoded, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	text := func(bytes []byte) C.pocket_text {
		if len(bytes) == 0 {
			return C.pocket_text{}
		}
		pins.Pin(&bytes[0])
		return C.pocket_text{data: (*C.char)(unsafe.Pointer(&bytes[0])), size: C.size_t(len(bytes))}
	}
	var head, body C.pocket_buffer
	code := C.pocket_go_http(host, text(encoded), text(request.Body), &head, &body)
	defer C.pocket_go_release(host, head)
	defer C.pocket_go_release(host, body)
	first := C.GoBytes(unsafe.Pointer(head.data), C.int(head.size))
	if code != 0 {
		return nil, refusal(code, string(first))
	}
	response := &Response{Body: C.GoBytes(unsafe.Pointer(body.data), C.int(body.size))}
	return response, json.Unmarshal(first, response)
}

func refusal(code C.int, message string) error {
	switch code {
	case C.POCKET_CONNECT_DENIED:
		return fmt.Errorf("%w: %s", ErrNotGranted, message)
	case C.POCKET_CONNECT_TIMEOUT:
		return &Error{Kind: Timeout, Message: message}
	default:
		return &Error{Kind: Retryable, Message: message}
	}
}
