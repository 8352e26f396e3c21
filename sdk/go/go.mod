module github.com/pocket-plugins/pocket/sdk/go

go 1.24
