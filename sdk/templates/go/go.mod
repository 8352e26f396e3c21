module example.com/{{name}}

go 1.24

require github.com/pocket-plugins/pocket/sdk/go v0.0.0

// The kit that came with Pocket.
replace github.com/pocket-plugins/pocket/sdk/go => {{sdk}}
