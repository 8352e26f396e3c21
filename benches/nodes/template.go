// The peer of the template node: reads {"items": […]} from a file, renders a template over it, writes the text.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"text/template"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	source, err := os.ReadFile(os.Args[1])
	check(err)
	text, err := os.ReadFile(os.Args[2])
	check(err)
	var data any
	check(json.Unmarshal(text, &data))
	out := bufio.NewWriter(os.Stdout)
	check(template.Must(template.New("t").Parse(string(source))).Execute(out, data))
	check(out.Flush())
}
