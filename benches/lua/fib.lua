-- Nothing but calls. The same for `pocket run` and for `lua5.4`.
local function fib(n)
  if n < 2 then
    return n
  end
  return fib(n - 1) + fib(n - 2)
end

if lua54 then
  return fib
end
return fib(input)
