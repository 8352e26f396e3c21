-- A node type is a function of its name.
function greet(input, config)
  local mood = input.label or "unknown"
  local salutation = config.salutation or "Hello"
  return {sentence = salutation .. ", that sounds " .. mood .. ".", score = input.score}
end
