//! What a random run is about. Each profile has its own policies, requests and thresholds, so that none hides behind the
//! others.

use deputy_policy::PolicyKind;

use super::keys::{GeneratedKey, KEYS, MIXED_KEYS, VARIABLE_KEYS};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoakProfile {
    /// A bit of all; what property tests and fuzz targets take.
    Everything,
    /// Actions and resources, almost without conditions.
    Patterns,
    /// Conditions of every type, mostly with values of the key's own.
    Conditions,
    /// Variables in resources and values; requests whose values hold wildcards.
    Variables,
    /// Operators of several types on one key, and values of none, of one and of several types.
    Mixed,
    /// Resource policies that name principals in every spelling.
    Principals,
    /// The same in trust policies.
    Trust,
    /// Two and three layers.
    Layers,
    /// The managed policies of AWS and documents like those that people write, changed.
    Managed,
}

/// What a run must reach to say something, in percent.
#[derive(Debug, Clone, Copy)]
pub struct Thresholds {
    /// Of the requests, those that the candidate allows.
    pub allowed: f64,
    /// Of the measured requests, those of which one edit changes what the ceiling decides.
    pub near: f64,
    /// Of the pairs, those that are contained, and those that exceed.
    pub contained: f64,
    pub exceeds: f64,
}

impl Thresholds {
    pub fn scaled(self, by: f64) -> Self {
        Self {
            allowed: self.allowed * by,
            near: self.near * by,
            contained: self.contained * by,
            exceeds: self.exceeds * by,
        }
    }
}

impl SoakProfile {
    /// Those of the long run.
    pub const ALL: [Self; 8] = [
        Self::Patterns,
        Self::Conditions,
        Self::Variables,
        Self::Mixed,
        Self::Principals,
        Self::Trust,
        Self::Layers,
        Self::Managed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Patterns => "patterns",
            Self::Conditions => "conditions",
            Self::Variables => "variables",
            Self::Mixed => "mixed",
            Self::Principals => "principals",
            Self::Trust => "trust",
            Self::Layers => "layers",
            Self::Managed => "managed",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter().chain([Self::Everything]);
        all.find(|profile| profile.name() == name)
    }

    /// The kinds of policies, each as often as it stands here.
    pub fn kinds(self) -> &'static [PolicyKind] {
        use PolicyKind::{Identity, Resource, Trust};
        match self {
            Self::Everything => &[Identity, Identity, Identity, Identity, Resource, Trust],
            Self::Principals => &[Resource],
            Self::Trust => &[Trust],
            _ => &[Identity],
        }
    }

    /// How many conditions a statement has, each number as often as it stands here.
    pub fn conditions(self) -> &'static [usize] {
        match self {
            Self::Patterns => &[0, 0, 0, 0, 0, 0, 0, 1],
            Self::Conditions => &[0, 1, 1, 2, 3],
            Self::Mixed => &[0, 1, 1, 1, 2],
            Self::Principals | Self::Trust => &[0, 0, 0, 0, 1],
            Self::Everything | Self::Layers | Self::Managed => &[0, 0, 1, 1, 2, 3],
            Self::Variables => &[0, 0, 1, 1, 2],
        }
    }

    pub fn keys(self) -> &'static [GeneratedKey] {
        match self {
            Self::Mixed => MIXED_KEYS,
            Self::Variables => VARIABLE_KEYS,
            _ => KEYS,
        }
    }

    /// Of ten pairs so many have several layers.
    pub fn layered(self) -> usize {
        match self {
            Self::Everything => 2,
            Self::Layers => 10,
            Self::Managed => 1,
            _ => 0,
        }
    }

    pub fn thresholds(self) -> Thresholds {
        Thresholds {
            allowed: 30.0,
            near: 10.0,
            contained: 10.0,
            exceeds: 10.0,
        }
    }
}
