// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is logged: who stood at each end of both connections.

use std::path::Path;

use serde_json::{Value, json};

/// The fields of [`Line`](crate::envoy::Line). `direction` is that of the listener.
pub(super) fn access_log(direction: &str, file: &Path) -> Value {
    json!([access_logger(direction, file)])
}

/// Only connections for which there is no filter chain, and which no filter can log therefore.
pub(super) fn access_log_of_listener(direction: &str, file: &Path) -> Value {
    let mut logger = access_logger(direction, file);
    logger["filter"] = json!({ "response_flag_filter": { "flags": ["NR"] } });
    json!([logger])
}

fn access_logger(direction: &str, file: &Path) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": file,
            "log_format": { "json_format": {
                "direction": direction,
                "chain": "%FILTER_CHAIN_NAME%",
                "direct_peer": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
                "peer": "%DOWNSTREAM_REMOTE_ADDRESS%",
                "direct_local": "%DOWNSTREAM_DIRECT_LOCAL_ADDRESS%",
                "original_destination": "%DOWNSTREAM_LOCAL_ADDRESS%",
                "cluster": "%UPSTREAM_CLUSTER%",
                "upstream_local": "%UPSTREAM_LOCAL_ADDRESS%",
                "upstream_remote": "%UPSTREAM_REMOTE_ADDRESS%",
                "server_name": "%REQUESTED_SERVER_NAME%",
                "protocol": "%PROTOCOL%",
                "path": "%REQ(:PATH)%",
                "status": "%RESPONSE_CODE%",
                "flags": "%RESPONSE_FLAGS%",
                "failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
            } },
        },
    })
}
