// Between the engine and Run; the same in every plugin.
package main

import (
	"runtime/debug"
	"unsafe"
)

// While the engine allocates, a plugin may not call it, and Go's collector asks for the time. So it works during calls only.
func init() { debug.SetGCPercent(-1) }

func main() {}

// What the engine allocates for the parameters is kept here until the call is over, so that the collector does not take it.
var parameters [][]byte

// The engine's pointers have 32 bits, Go's have 64.
type result struct{ isError, text, size uint32 }

// What the engine reads after the call must not be collected before.
var (
	done     result
	returned []byte
)

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	bytes := make([]byte, max(size, 1))
	copy(bytes, unsafe.Slice((*byte)(old), oldSize))
	parameters = append(parameters, bytes)
	return unsafe.Pointer(&bytes[0])
}

//go:wasmexport run
func run(node unsafe.Pointer, nodeSize uint32, config unsafe.Pointer, configSize uint32,
	input unsafe.Pointer, inputSize uint32, context unsafe.Pointer, contextSize uint32) unsafe.Pointer {
	debug.SetGCPercent(100)
	defer debug.SetGCPercent(-1)
	text := func(at unsafe.Pointer, size uint32) []byte { return unsafe.Slice((*byte)(at), size) }
	reply, err := Run(string(text(node, nodeSize)), text(config, configSize), text(input, inputSize), text(context, contextSize))
	returned, done.isError = reply, 0
	if err != nil {
		returned, done.isError = []byte(err.Error()), 1
	}
	parameters = nil
	done.text, done.size = uint32(uintptr(unsafe.Pointer(unsafe.SliceData(returned)))), uint32(len(returned))
	return unsafe.Pointer(&done)
}
