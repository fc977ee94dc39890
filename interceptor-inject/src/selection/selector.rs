// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Label selectors of Kubernetes
//! ([`LabelSelector`](https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements)).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::malformed::{At, Malformed};

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Rules about labels. All of them have to hold, so a selector without rules selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operator {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Reads a selector as it stands in a manifest, with `matchLabels` and `matchExpressions`.
    ///
    /// # Errors
    /// If Kubernetes would refuse the selector.
    pub fn read(selector: &Value) -> Result<Self, Malformed> {
        Self::at(&At::root(selector))
    }

    pub(crate) fn at(selector: &At<'_>) -> Result<Self, Malformed> {
        let mut requirements = Vec::new();
        if let Some(labels) = selector.field("matchLabels")? {
            for key in labels.object()?.keys() {
                let value = labels.required(key)?.text()?.to_owned();
                requirements.push(Requirement { key: key.clone(), operator: Operator::In(vec![value]) });
            }
        }
        for expression in selector.list("matchExpressions")? {
            let key = expression.required("key")?.text()?.to_owned();
            requirements.push(Requirement { key, operator: Operator::at(&expression)? });
        }
        Ok(Self { requirements })
    }

    /// Whether the selector has no rules.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether all rules hold. `NotIn` holds where the label is absent.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match &self.operator {
            Operator::In(values) => value.is_some_and(|value| values.contains(value)),
            Operator::NotIn(values) => !value.is_some_and(|value| values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

impl Operator {
    fn at(expression: &At<'_>) -> Result<Self, Malformed> {
        let values: Vec<String> = expression.texts("values")?.into_iter().map(str::to_owned).collect();
        let operator = expression.required("operator")?;
        match (operator.text()?, values.is_empty()) {
            ("In", false) => Ok(Self::In(values)),
            ("NotIn", false) => Ok(Self::NotIn(values)),
            ("In" | "NotIn", true) => Err(expression.malformed("an expression with values")),
            ("Exists", true) => Ok(Self::Exists),
            ("DoesNotExist", true) => Ok(Self::DoesNotExist),
            ("Exists" | "DoesNotExist", false) => Err(expression.malformed("an expression without values")),
            _ => Err(operator.malformed("In, NotIn, Exists or DoesNotExist")),
        }
    }
}
