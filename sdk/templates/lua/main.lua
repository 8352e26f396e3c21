-- The function of the node type `{{node}}`: called with its input, its config, and where and when it runs.
function {{function}}(input, config, context)
  if type(input) ~= "table" or not input.name then
    error({kind = "invalid_input", message = "expected an input with `name`"})
  end
  return {text = (config.word or "Hello") .. ", " .. input.name .. context.settings.mark}
end
