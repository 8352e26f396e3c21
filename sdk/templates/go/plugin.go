// {{name}} is a native Pocket plugin.
package main

import pocket "github.com/pocket-plugins/pocket/sdk/go"

// plugin is what the library holds.
type plugin struct{}

func (plugin) Name() string         { return "{{name}}" }
func (plugin) Version() string      { return "0.1.0" }
func (plugin) Description() string  { return "Greets people" }
func (plugin) Nodes() []pocket.Node { return nodes() }

func init() { pocket.Export(plugin{}) }

func main() {}
