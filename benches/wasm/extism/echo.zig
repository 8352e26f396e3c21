//! What `fixtures/plugins-wasm/zig` does for `echo`, as a plugin of Extism: the input with a few bytes around it.
extern "extism:host/env" fn input_length() u64;
extern "extism:host/env" fn input_load_u8(offset: u64) u8;
extern "extism:host/env" fn input_load_u64(offset: u64) u64;
extern "extism:host/env" fn alloc(size: u64) u64;
extern "extism:host/env" fn store_u8(offset: u64, value: u8) void;
extern "extism:host/env" fn store_u64(offset: u64, value: u64) void;
extern "extism:host/env" fn output_set(offset: u64, size: u64) void;

const std = @import("std");
const memory = std.heap.wasm_allocator;

/// Texts are carried eight bytes at a time, as Extism's kits do.
export fn echo() i32 {
    const input = memory.alloc(u8, @intCast(input_length())) catch @trap();
    defer memory.free(input);
    var at: usize = 0;
    while (at + 8 <= input.len) : (at += 8) std.mem.writeInt(u64, input[at..][0..8], input_load_u64(at), .little);
    while (at < input.len) : (at += 1) input[at] = input_load_u8(at);

    const output = std.fmt.allocPrint(memory, "{{\"output\":{s}}}", .{input}) catch @trap();
    defer memory.free(output);
    const place = alloc(output.len);
    at = 0;
    while (at + 8 <= output.len) : (at += 8) store_u64(place + at, std.mem.readInt(u64, output[at..][0..8], .little));
    while (at < output.len) : (at += 1) store_u8(place + at, output[at]);
    output_set(place, output.len);
    return 0;
}
