-- One item after the other: what a workflow's script does most. The same for `pocket run` and for `lua5.4`.
local function process(items)
  local out = {}
  for i, item in ipairs(items) do
    out[i] = {id = item.id, label = string.format("%s-%d", string.upper(item.name), item.id), total = item.price * item.count}
  end
  return out
end

if lua54 then
  return process
end
return process(input)
