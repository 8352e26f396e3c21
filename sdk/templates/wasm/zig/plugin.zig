//! The node type `{{node}}`: says hello.
const std = @import("std");
const memory = std.heap.wasm_allocator;

const Config = struct { word: []const u8 = "Hello" };
const Person = struct { name: []const u8 };
const Context = struct { settings: struct { mark: []const u8 = "!" } };
const Reply = struct { output: struct { text: []const u8 } };

/// What the engine calls. All texts are JSON. What is allocated in `arena` lives as long as the call.
fn call(arena: std.mem.Allocator, node: []const u8, config: []const u8, input: []const u8, context: []const u8) ![]const u8 {
    _ = node;
    const options = std.json.ParseOptions{ .ignore_unknown_fields = true };
    const wanted = try std.json.parseFromSliceLeaky(Config, arena, config, options);
    const person = try std.json.parseFromSliceLeaky(Person, arena, input, options);
    const around = try std.json.parseFromSliceLeaky(Context, arena, context, options);
    const text = try std.fmt.allocPrint(arena, "{s}, {s}{s}", .{ wanted.word, person.name, around.settings.mark });
    return std.fmt.allocPrint(arena, "{f}", .{std.json.fmt(Reply{ .output = .{ .text = text } }, .{})});
}

// What follows is the same in every plugin.

const Result = extern struct { is_error: u32, text: [*]const u8, size: usize };

/// The engine allocates the parameters with it.
export fn cabi_realloc(old: ?[*]u8, old_size: usize, _: usize, size: usize) [*]u8 {
    const bytes = if (old) |some| memory.realloc(some[0..old_size], size) else memory.alloc(u8, size);
    return (bytes catch @trap()).ptr;
}

/// The engine calls it when it has read the result.
export fn cabi_post_run(result: *const Result) void {
    memory.free(result.text[0..result.size]);
}

var done: Result = undefined;

export fn run(
    node: [*]u8, node_size: usize, config: [*]u8, config_size: usize,
    input: [*]u8, input_size: usize, context: [*]u8, context_size: usize,
) *const Result {
    const texts = [_][]u8{ node[0..node_size], config[0..config_size], input[0..input_size], context[0..context_size] };
    defer for (texts) |text| memory.free(text);
    var arena = std.heap.ArenaAllocator.init(memory);
    defer arena.deinit();
    const outcome = call(arena.allocator(), texts[0], texts[1], texts[2], texts[3]);
    // A text that is no error object is the message of a `failed`.
    const text = memory.dupe(u8, outcome catch |failure| @errorName(failure)) catch @trap();
    done = .{ .is_error = if (outcome) |_| 0 else |_| 1, .text = text.ptr, .size = text.len };
    return &done;
}
