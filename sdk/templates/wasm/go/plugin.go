package main

import "encoding/json"

// Failure is an error as the engine knows them: of kind invalid_input, failed, retryable or timeout.
type Failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

func (failure Failure) Error() string {
	text, _ := json.Marshal(failure)
	return string(text)
}

// Run is what the engine calls for the node type `{{node}}`. All texts are JSON.
func Run(node string, config, input, context []byte) ([]byte, error) {
	var wanted struct{ Word string }
	var person struct{ Name string }
	var around struct{ Settings struct{ Mark string } }
	wanted.Word = "Hello"
	if err := json.Unmarshal(config, &wanted); err != nil {
		return nil, Failure{"invalid_input", err.Error()}
	}
	if err := json.Unmarshal(input, &person); err != nil {
		return nil, Failure{"invalid_input", err.Error()}
	}
	if err := json.Unmarshal(context, &around); err != nil {
		return nil, err
	}
	text := wanted.Word + ", " + person.Name + around.Settings.Mark
	return json.Marshal(map[string]any{"output": map[string]string{"text": text}})
}
