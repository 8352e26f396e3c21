package pocket

/*
#define POCKET_PLUGIN_NO_PROTOTYPES
#include "pocket_plugin.h"
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unsafe"
)

var (
	exported Plugin
	nodes    map[string]Node
	host     *C.pocket_host
	manifest C.pocket_text
)

// Export makes a plugin the one that this library is. Call it once, from an init function of package main.
func Export(plugin Plugin) {
	if exported != nil {
		panic("pocket.Export was called twice")
	}
	nodes = make(map[string]Node)
	for _, node := range plugin.Nodes() {
		if nodes[node.Type()] != nil {
			panic(fmt.Sprintf("the node type %q stands twice", node.Type()))
		}
		nodes[node.Type()] = node
	}
	exported = plugin
}

//export pocket_plugin_abi
func pocket_plugin_abi() C.uint { return C.POCKET_PLUGIN_ABI }

//export pocket_plugin_start
func pocket_plugin_start(given *C.pocket_host, settings C.pocket_text, failure *C.pocket_buffer) C.int {
	host = given
	if exported == nil {
		return fail(failure, Errorf(Failed, "the library calls pocket.Export in no init function"))
	}
	if starter, ok := exported.(Starter); ok {
		if err := starter.Start(json.RawMessage(bytesOf(settings))); err != nil {
			return fail(failure, asError(err))
		}
	}
	return 0
}

//export pocket_plugin_run
func pocket_plugin_run(name, config, input, where C.pocket_text, result *C.pocket_buffer) C.int {
	node := nodes[string(bytesOf(name))]
	if node == nil {
		return fail(result, Errorf(InvalidInput, "the library has no node type `%s`", bytesOf(name)))
	}
	var times struct {
		Left int64 `json:"deadline_ms"`
	}
	var ctx Context
	text := bytesOf(where)
	if err := errors.Join(json.Unmarshal(text, &ctx), json.Unmarshal(text, &times)); err != nil {
		return fail(result, Errorf(Failed, "the context does not fit: %v", err))
	}
	var cancel context.CancelFunc
	ctx.Context, cancel = context.WithTimeout(context.Background(), time.Duration(times.Left)*time.Millisecond)
	defer cancel()
	reply, err := node.Run(&ctx, bytesOf(config), bytesOf(input))
	if err != nil {
		return fail(result, asError(err))
	}
	envelope := struct {
		Output any    `json:"output"`
		Action string `json:"action,omitempty"`
	}{reply.Output, reply.Action}
	encoded, err := json.Marshal(envelope)
	if err != nil {
		return fail(result, Errorf(Failed, "the output of `%s` is no JSON: %v", node.Type(), err))
	}
	return put(result, 0, encoded)
}

//export pocket_plugin_free
func pocket_plugin_free(buffer C.pocket_buffer) { C.free(unsafe.Pointer(buffer.data)) }

//export pocket_plugin_stop
func pocket_plugin_stop() {
	if stopper, ok := exported.(Stopper); ok {
		stopper.Stop()
	}
	host = nil
}

//export pocket_plugin_describe
func pocket_plugin_describe() C.pocket_text {
	if manifest.data == nil && exported != nil {
		encoded := describe(exported)
		manifest = C.pocket_text{data: (*C.char)(C.CBytes(encoded)), size: C.size_t(len(encoded))}
	}
	return manifest
}

func describe(plugin Plugin) []byte {
	type nodeSpec struct {
		Type        string `json:"type"`
		Description string `json:"description,omitempty"`
	}
	var specs []nodeSpec
	for _, node := range plugin.Nodes() {
		spec := nodeSpec{Type: node.Type()}
		if describer, ok := node.(Describer); ok {
			spec.Description = describer.Description()
		}
		specs = append(specs, spec)
	}
	encoded, err := json.Marshal(map[string]any{
		"name":        plugin.Name(),
		"version":     plugin.Version(),
		"description": plugin.Description(),
		"nodes":       specs,
	})
	if err != nil {
		panic(err) // texts always become JSON
	}
	return encoded
}

// bytesOf copies a text: Pocket's is gone when the call is over, and a plugin may keep what it got.
func bytesOf(text C.pocket_text) []byte {
	return C.GoBytes(unsafe.Pointer(text.data), C.int(text.size))
}

func fail(result *C.pocket_buffer, failure *Error) C.int {
	encoded, err := json.Marshal(failure)
	if err != nil {
		encoded, _ = json.Marshal(Error{Kind: failure.Kind, Message: failure.Message})
	}
	return put(result, 1, encoded)
}

func put(result *C.pocket_buffer, code C.int, text []byte) C.int {
	result.data = (*C.char)(C.CBytes(text))
	result.size = C.size_t(len(text))
	return code
}
