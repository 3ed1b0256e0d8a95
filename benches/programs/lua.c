// Lua: runs a script with strings, tables, closures and method calls. `lua.wasm [ROUNDS]`.
#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"
#include <stdio.h>
#include <stdlib.h>

static const char script[] =
    "local rounds = ...\n"
    "local Account = {}\n"
    "Account.__index = Account\n"
    "function Account.new(name) return setmetatable({name = name, sum = 0}, Account) end\n"
    "function Account:add(n) self.sum = (self.sum + n) % 1000003; return self end\n"
    "local accounts, keys = {}, {}\n"
    "for i = 1, 200 do keys[i] = 'account-' .. i; accounts[keys[i]] = Account.new(keys[i]) end\n"
    "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end\n"
    "local text = {}\n"
    "for r = 1, rounds do\n"
    "  for i, k in ipairs(keys) do accounts[k]:add(i * r):add(#k) end\n"
    "  local list = {}\n"
    "  for i = 1, 200 do list[i] = (i * 7919 + r * 104729) % 1009 end\n"
    "  table.sort(list, function(a, b) return a > b end)\n"
    "  local s = table.concat(list, ',', 1, 40)\n"
    "  local n = 0\n"
    "  for word in s:gmatch('%d+') do n = n + tonumber(word) end\n"
    "  text[#text + 1] = s:upper():gsub('7', '<%0>'):sub(1, 12) .. n\n"
    "end\n"
    "local total = 0.0\n"
    "for _, k in ipairs(keys) do total = total + accounts[k].sum / 3 end\n"
    "local hash = 0\n"
    "for _, s in ipairs(text) do for i = 1, #s do hash = (hash * 31 + s:byte(i)) & 0xffffffff end end\n"
    "return string.format('%.3f %08x %d', total, hash, fib(20))\n";

int main(int argc, char **argv) {
    lua_State *lua = luaL_newstate();
    if (!lua)
        return 1;
    luaL_requiref(lua, "_G", luaopen_base, 1);
    luaL_requiref(lua, "string", luaopen_string, 1);
    luaL_requiref(lua, "table", luaopen_table, 1);
    luaL_requiref(lua, "math", luaopen_math, 1);
    lua_settop(lua, 0);
    if (luaL_loadbufferx(lua, script, sizeof script - 1, "script", "t") != LUA_OK)
        return 1;
    lua_pushinteger(lua, argc > 1 ? atoi(argv[1]) : 10);
    lua_call(lua, 1, 1);
    puts(lua_tostring(lua, -1));
    lua_close(lua);
    return 0;
}
