-- lua5.4 plain.lua SCRIPT FILE: reads JSON, calls the function that SCRIPT returns, writes JSON.
local json = require("cjson")
lua54 = true
local run = dofile(arg[1])
local file = assert(io.open(arg[2]))
local input = json.decode(file:read("a"))
file:close()
io.write(json.encode(run(input)), "\n")
