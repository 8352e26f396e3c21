//! What crosses the border to a plugin, as texts.

use serde_json::json;

use crate::engine::plugin::{Asked, Border, Call, CallContext};

/// The parameters of one crossing.
pub(super) enum Arguments {
    /// Of `run`: node, config, input, context.
    Call((String, String, String, String)),
    /// Of `run-batch`: node, calls, context.
    Batch((String, String, String)),
}

impl Arguments {
    pub(super) fn of_call(call: &Call<'_>, border: &Border) -> Self {
        Self::Call((
            call.node_type.to_owned(),
            call.config.to_string(),
            call.input.to_string(),
            border.identity.context(&call.context),
        ))
    }

    pub(super) fn of_batch(node_type: &str, asked: &[Asked<'_>], context: &CallContext, border: &Border) -> Self {
        let calls: Vec<_> = asked.iter().map(|one| json!({"config": one.config, "input": one.input})).collect();
        let calls = serde_json::Value::from(calls).to_string();
        Self::Batch((node_type.to_owned(), calls, border.identity.context(context)))
    }
}
