use pocket_plugin::{Context, Error, Node, Nodes, Plugin, Reply, Settings};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Config {
    word: Option<String>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
}

#[derive(Serialize)]
struct Output {
    text: String,
}

/// The node type `{{node}}`.
struct Greet {
    mark: String,
}

impl Node for Greet {
    type Config = Config;
    type Input = Input;
    type Output = Output;

    fn run(&self, config: Config, input: Input, _: &Context) -> Result<Reply<Output>, Error> {
        let word = config.word.as_deref().unwrap_or("Hello");
        Ok(Reply::new(Output { text: format!("{word}, {}{}", input.name, self.mark) }))
    }
}

struct Greeter {
    greet: Greet,
}

impl Plugin for Greeter {
    fn start(settings: &Settings) -> Result<Self, Error> {
        let mark = settings.get("mark").and_then(|mark| mark.as_str()).unwrap_or("!");
        Ok(Self { greet: Greet { mark: mark.to_owned() } })
    }

    fn nodes(&self) -> Nodes<'_> {
        Nodes::new().with("{{node}}", &self.greet)
    }
}

pocket_plugin::export!(Greeter);
