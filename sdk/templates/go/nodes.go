package main

import (
	"fmt"

	pocket "github.com/pocket-plugins/pocket/sdk/go"
)

// config is the node's `config` in a workflow.
type config struct {
	Word string `json:"word"`
}

// input is what the node before it gave.
type input struct {
	Name string `json:"name"`
}

func nodes() []pocket.Node {
	return []pocket.Node{pocket.NewNode("{{node}}", "Says hello", greet)}
}

func greet(_ *pocket.Context, config config, input input) (pocket.Reply, error) {
	if input.Name == "" {
		return pocket.Reply{}, pocket.Errorf(pocket.InvalidInput, "expected an input with `name`")
	}
	word := config.Word
	if word == "" {
		word = "Hello"
	}
	return pocket.Reply{Output: map[string]string{"text": fmt.Sprintf("%s, %s!", word, input.Name)}}, nil
}
