// The node type `{{node}}`: gives its input back in capital letters.
// The compiler `asc` comes with `npm install --global assemblyscript`.

class Outcome {
  constructor(public text: string, public isError: bool = false) {}
}

/** The input is taken for a JSON text without escapes; a real plugin uses a JSON library. */
function call(node: string, config: string, input: string, context: string): Outcome {
  return new Outcome('{"output":' + input.toUpperCase() + "}");
}

// What follows is the same in every plugin.

/** The engine allocates the parameters with it. */
export function cabi_realloc(old: usize, oldSize: usize, align: usize, size: usize): usize {
  return old ? heap.realloc(old, size) : heap.alloc(size);
}

/** The engine calls it when it has read the result. `minimal` never collects by itself; this is when nothing is in use. */
export function cabi_post_run(result: usize): void {
  heap.free(load<usize>(result, 4));
  heap.free(result);
  __collect();
}

function read(text: usize, size: usize): string {
  const decoded = String.UTF8.decodeUnsafe(text, size);
  heap.free(text);
  return decoded;
}

export function run(
  node: usize, nodeSize: usize, config: usize, configSize: usize,
  input: usize, inputSize: usize, context: usize, contextSize: usize,
): usize {
  const outcome = call(read(node, nodeSize), read(config, configSize), read(input, inputSize), read(context, contextSize));
  const size = String.UTF8.byteLength(outcome.text);
  const text = heap.alloc(size);
  String.UTF8.encodeUnsafe(changetype<usize>(outcome.text), outcome.text.length, text);
  const result = heap.alloc(12);
  store<u32>(result, u32(outcome.isError));
  store<usize>(result, text, 4);
  store<usize>(result, size, 8);
  return result;
}
