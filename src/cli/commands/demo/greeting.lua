-- A node type is a function of its name. Where branches meet, the input has the output of each under its node's name.
function greet(input, config)
  local mood = input.analyze.label
  local total = input.clean.total
  return {sentence = config.salutation .. ", that sounds " .. mood .. ". The total is " .. total .. "."}
end
