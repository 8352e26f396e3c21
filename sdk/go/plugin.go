// Package pocket is for writing native Pocket plugins in Go.
//
// Implement [Plugin], and export it from a package main that is built with -buildmode=c-shared:
//
//	func init() { pocket.Export(greeter{}) }
//	func main() {}
//
// The plugin runs in a process of its own, which has no sockets, no programs, and no files but the system's libraries and
// the folders that the user granted. A panic ends the process: the call is reported as crashed, with the panic's message,
// and the next call gets a new process.
package pocket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// A Plugin is what a library holds: what it is called, and the nodes that it provides.
//
// It may implement [Starter] and [Stopper] as well.
type Plugin interface {
	Name() string
	Version() string
	Description() string
	Nodes() []Node
}

// A Starter is told before the first call.
type Starter interface {
	// Start gets the plugin's settings. An error keeps the plugin from being called.
	Start(settings json.RawMessage) error
}

// A Stopper is told before the process ends in good order. It has one second.
type Stopper interface {
	Stop()
}

// A Node is what a workflow calls. [NewNode] makes one from a function.
//
// It may implement [Describer] as well. Run is called from one goroutine at a time.
type Node interface {
	// Type is the node's name in workflows, such as "redis-get".
	Type() string
	// Run runs the node. Config and input are JSON.
	Run(ctx *Context, config, input json.RawMessage) (Reply, error)
}

// A Describer says more about a node. It is asked only for a library that has no manifest beside it.
type Describer interface {
	Description() string
}

// A Reply is what a node returns.
type Reply struct {
	// Output is anything that becomes JSON.
	Output any
	// Action chooses the next node; empty for the default one.
	Action string
}

// A Context says where and when a call runs. It ends at the call's deadline.
type Context struct {
	context.Context
	RunID    string          `json:"run_id"`
	Node     string          `json:"node"`
	Attempt  int             `json:"attempt"`
	Plugin   string          `json:"plugin"`
	Version  string          `json:"version"`
	Settings json.RawMessage `json:"settings"`
}

// A Kind says what went wrong, and with that whether another try can help.
type Kind string

const (
	// InvalidInput is for a config or an input that the node refuses: trying again cannot help.
	InvalidInput Kind = "invalid_input"
	// Failed is for what was tried and did not work. It is the kind of every error that is no [Error].
	Failed Kind = "failed"
	// Retryable is for what may work at another time.
	Retryable Kind = "retryable"
	// Timeout is for what took too long.
	Timeout Kind = "timeout"
)

// An Error is an error with a kind.
type Error struct {
	Kind    Kind   `json:"kind"`
	Message string `json:"message"`
	Details any    `json:"details,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Errorf makes an [Error].
func Errorf(kind Kind, format string, arguments ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, arguments...)}
}

// NewNode makes a node from a function. A config or input that does not fit C or I is an [InvalidInput]; fields that C does
// not know are refused, so that a misspelt one is noticed.
func NewNode[C, I any](name, description string, run func(ctx *Context, config C, input I) (Reply, error)) Node {
	return &function[C, I]{name: name, description: description, run: run}
}

type function[C, I any] struct {
	name, description string
	run               func(*Context, C, I) (Reply, error)
}

func (f *function[C, I]) Type() string        { return f.name }
func (f *function[C, I]) Description() string { return f.description }

func (f *function[C, I]) Run(ctx *Context, config, input json.RawMessage) (Reply, error) {
	var c C
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return Reply{}, Errorf(InvalidInput, "the config of `%s` does not fit: %v", f.name, err)
	}
	var i I
	if err := json.Unmarshal(input, &i); err != nil {
		return Reply{}, Errorf(InvalidInput, "the input of `%s` does not fit: %v", f.name, err)
	}
	return f.run(ctx, c, i)
}

// asError gives every error a kind.
func asError(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{Kind: Timeout, Message: err.Error()}
	}
	return &Error{Kind: Failed, Message: err.Error()}
}
