// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which objects are read as pods, and what is taken where they say nothing.

use super::*;
use crate::{kubernetes::Metadata, tests::read};

#[test]
fn a_pod_without_wishes_has_the_settings_of_istios_cni_plugin() {
    let flags = ["-i", "*", "-b", "*", "-d", "15020,15021,15090", "-o", "15020", "-u", "1337", "-g", "1337"];
    let (wanted, warnings) = intercepted(&injected());
    assert_eq!(wanted.config(), &read(&flags, &[], "").unwrap().0);
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn the_name_of_the_pod_is_read() {
    let Pod { metadata, .. } = serde_json::from_value(injected()).unwrap();
    let Metadata { namespace, name, uid, .. } = metadata;
    assert_eq!(
        [&namespace, &name, &uid],
        ["shop", "cart-0", "0c1f3f4a-6f0c-4b5e-9a53-0d0f8a2b7c11"]
    );
}

/// A manifest may have a key without a value.
#[test]
fn a_field_that_is_null_is_a_field_left_out() {
    let mut pod = injected();
    pod["metadata"]["labels"] = Value::Null;
    pod["spec"]["initContainers"] = Value::Null;
    pod["spec"]["hostNetwork"] = Value::Null;
    sidecar(&mut pod)["env"] = json!([{"name": "ISTIO_META_DNS_CAPTURE", "value": null, "valueFrom": null}]);
    sidecar(&mut pod)["securityContext"] = Value::Null;
    let (wanted, warnings) = intercepted(&pod);
    assert_eq!(wanted, intercepted(&injected()).0);
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(
        warning.contains("ISTIO_META_DNS_CAPTURE") && warning.contains("`` is not true or false"),
        "{warning}"
    );
}

#[test]
fn an_object_without_containers_is_no_pod_with_a_sidecar() {
    assert_eq!(skipped(&json!({})), Skip::NoSidecar);
}

#[test]
fn a_field_of_another_type_is_an_error_that_says_what_was_expected() {
    let error = serde_json::from_value::<Pod>(json!({"spec": {"hostNetwork": "yes"}})).unwrap_err();
    assert!(error.to_string().contains("expected a boolean"), "{error}");
}
