// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The functions that Istio's injection templates call, besides those of Go: Istio's own
//! ([`template.go`](https://github.com/istio/istio/blob/master/pkg/kube/inject/template.go)) and those of Sprig. None
//! of them reads a file, the environment or a clock. A template that calls another function is refused.

mod arguments;
mod network;
mod own;
mod sprig;

use gtmpl_ng::Func;

/// Names and functions.
pub(super) const ALL: &[(&str, Func)] = &[
    ("index", own::index),
    // Of Istio. `contains` and `indent` are others than those of Sprig.
    ("annotation", own::annotation),
    ("contains", own::contains),
    ("directory", own::directory),
    ("fromJSON", own::from_json),
    ("indent", own::indent),
    ("isset", own::isset),
    ("omitNil", own::omit_nil),
    ("otelResourceAttributes", own::otel_resource_attributes),
    ("protoToJSON", own::struct_to_json),
    ("structToJSON", own::struct_to_json),
    ("toJSON", own::to_json),
    ("toJson", own::to_json),
    ("toLower", own::to_lower),
    ("toYaml", own::to_yaml),
    ("valueOrDefault", own::value_or_default),
    ("appendMultusNetwork", network::append_multus_network),
    ("excludeInboundPort", network::exclude_inbound_port),
    // Of Sprig.
    ("append", sprig::append),
    ("default", sprig::default),
    ("dict", sprig::dict),
    ("join", sprig::join),
    ("list", sprig::list),
    ("nindent", sprig::nindent),
    ("quote", sprig::quote),
    ("trimAll", sprig::trim_all),
    ("trunc", sprig::trunc),
];
