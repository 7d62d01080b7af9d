//! The names of everything that is said about documents: refusals and warnings. They are a contract; the table in the
//! README is held against this list.

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The document is refused.
    Error,
    /// The document is read, and probably does not say what its author means.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $name:literal $severity:ident $summary:literal)*) => {
        /// The name of a finding. Names stay; new ones may come.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code { $(#[doc = $summary] $variant),* }

        impl Code {
            /// Every name.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name, such as `short-arn`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What it means, in a sentence.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary),* }
            }

            /// Whether a document with it is refused.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }
        }
    };
}

codes! {
    NotJson "not-json" Error "The text is not a JSON document, or it nests more than 12 deep."
    TooLarge "too-large" Error "The text has more than 262,144 bytes."
    TooManyProblems "too-many-problems" Error "More than 64 problems; the others are only counted."
    DuplicateKey "duplicate-key" Error "An object has a key twice, or a condition has a key twice but for case; parsers differ on which one counts."
    UnknownElement "unknown-element" Error "An element that the policy language does not have."
    MissingElement "missing-element" Error "A required element is missing."
    ExclusiveElements "exclusive-elements" Error "An element and its negation in one statement."
    PrincipalNotAllowed "principal-not-allowed" Error "A principal in a policy that is attached to one."
    ResourceNotAllowed "resource-not-allowed" Error "A resource in a trust policy."
    NotPrincipalNotAllowed "not-principal-not-allowed" Error "NotPrincipal where AWS has none: trust policies and resource control policies."
    NotPrincipalWithoutParents "not-principal-without-parents" Warning "NotPrincipal without the account (or, for a session, the role) of somebody listed; AWS may deny them all the same."
    NotPrincipalWithAllow "not-principal-with-allow" Error "NotPrincipal with Allow, which lets in everybody else, anonymous callers included."
    NotActionNotAllowed "not-action-not-allowed" Error "NotAction in a resource control policy."
    RcpAllow "rcp-allow" Error "Allow in a resource control policy other than AWS's own RCPFullAWSAccess."
    EmptyElement "empty-element" Error "An empty list, object or string."
    EmptyConditionValues "empty-condition-values" Warning "A condition without values; AWS takes it and does not say what it means."
    WrongType "wrong-type" Error "A value of the wrong JSON type."
    InvalidEffect "invalid-effect" Error "An Effect other than Allow and Deny, in this spelling."
    VersionMissing "version-missing" Error "No Version, which AWS reads as the language of 2008."
    VersionUnsupported "version-unsupported" Error "A Version that this kind of policy may not have."
    SidCharacters "sid-characters" Error "A Sid with other characters than letters and digits."
    DuplicateSid "duplicate-sid" Error "A Sid that is used twice."
    ForbiddenCharacter "forbidden-character" Error "A character that IAM does not take; it may be invisible."
    InvalidAction "invalid-action" Error "An action that is neither * nor service:Name."
    ActionCharacters "action-characters" Error "An action with a character that no action has, such as a space; AWS takes it and it matches nothing."
    ActionStarColonStar "action-star-colon-star" Error "The action *:*, which engines read differently."
    WildcardInService "wildcard-in-service" Error "A wildcard in the service of an action or ARN."
    VariableInAction "variable-in-action" Error "A variable in an action, where AWS expands none."
    InvalidResource "invalid-resource" Error "A resource that is neither * nor an ARN."
    ShortArn "short-arn" Error "An ARN with fewer than six parts that does not end in a lone *; AWS pads it, in a way that depends on the kind of policy."
    EmptyArnPart "empty-arn-part" Error "An ARN without partition or service."
    VariableInArnHead "variable-in-arn-head" Error "A variable before the fifth colon of an ARN, where AWS expands none, other than an account or a region for the whole part."
    VariableInAccount "variable-in-account" Warning "A variable for the region or the account of an ARN: AWS's guide says that none is expanded there, and one of AWS's own policies has one."
    VariableInNotResource "variable-in-not-resource" Warning "A variable without default in NotResource: when it has no value, its pattern excludes nothing, or the statement matches nothing."
    InvalidVariable "invalid-variable" Error "A variable that is not closed, not a condition key, or whose default is not plain text in single quotes."
    VariableOfListKey "variable-of-list-key" Error "A variable of a key that can have several values."
    VariableInBool "variable-in-bool" Error "A variable under Bool; AWS's pages disagree on whether it is expanded."
    VariableInTypedValue "variable-in-typed-value" Error "A variable under an operator that does not expand it."
    InvalidPrincipal "invalid-principal" Error "A principal that is not of its type."
    WildcardInPrincipal "wildcard-in-principal" Error "A wildcard in a principal; * stands alone or not at all."
    UnknownOperator "unknown-operator" Error "A condition operator that does not exist, in this spelling."
    NullModifier "null-modifier" Error "Null with a set operator or IfExists."
    InvalidConditionKey "invalid-condition-key" Error "A condition key that is not prefix:name, or has wildcards or variables."
    PlainOperatorOnListKey "plain-operator-on-list-key" Warning "No set operator on a key that AWS documents as a list; engines read it differently."
    UnquotedNumber "unquoted-number" Error "A number where text belongs: an account id without quotes has lost its leading zeros."
    InvalidNumber "invalid-number" Error "Not a decimal number of at most 18 digits before and after the point."
    InvalidDate "invalid-date" Error "Neither a date of the W3C profile of ISO 8601 nor seconds since 1970; four digits may be either."
    InvalidBool "invalid-bool" Error "Neither true nor false."
    InvalidBinary "invalid-binary" Error "Not base64."
    InvalidAddress "invalid-address" Error "Neither an IP address nor a range in CIDR notation."
    InvalidArnValue "invalid-arn-value" Error "A value of an ARN operator that is neither * nor an ARN: it has fewer than six parts, or does not begin with arn."
    Escalation "escalation" Warning "A ceiling allows an action that makes or widens permissions."
    OpenTag "open-tag" Warning "In a ceiling a wildcard stands beside one of Deputy's tags that are names: pay* reaches what payments has."
    TagVariable "tag-variable" Warning "A ceiling has a variable whose value a tenant may choose: a tag, or a name in one of Deputy's tags without its namespace."
    NeverMatches "never-matches" Warning "No request can match the statement: its conditions contradict each other."
    RedundantPattern "redundant-pattern" Warning "A pattern that another one of the list includes."
    AllowNotAction "allow-not-action" Warning "Allow with NotAction: it allows every action that is not listed, of services to come too."
    AllowNotResource "allow-not-resource" Warning "Allow with NotResource: it allows every resource that is not listed."
    AllowAnyone "allow-anyone" Warning "Allow for everybody, without a condition."
    DeletedPrincipal "deleted-principal" Warning "A unique id: of a user or role that was deleted, or of a living one that nobody can tell by it."
    PlaceholderPrincipal "placeholder-principal" Warning "A federated principal that is neither the ARN of a provider nor a host name; it names nobody."
    VariableIn2008 "variable-in-2008" Warning "What looks like a variable is text in the language of 2008."
    VariableMayHoldWildcards "variable-may-hold-wildcards" Warning "A variable whose value may hold * or ?; AWS does not say whether they are wildcards then."
    WildcardInEquals "wildcard-in-equals" Warning "A * that is text: StringEquals has no wildcards."
    ForAllValuesWithoutNull "for-all-values-without-null" Warning "Allow with ForAllValues, which holds when the key is absent, and nothing that demands the key."
    NegatedOperatorOnAbsentKey "negated-operator-on-absent-key" Warning "Allow with a negated operator, which holds when the key is absent, and nothing that demands the key."
    NegatedForAnyValue "negated-for-any-value" Warning "ForAnyValue with a negated operator: it holds as soon as one of the values differs."
    ForAnyValueIfExists "for-any-value-if-exists" Warning "ForAnyValue with IfExists; AWS's pages disagree on what holds when the key is absent."
    RedundantIfExists "redundant-if-exists" Warning "IfExists on an operator that holds anyway when the key is absent."
    OperatorTypeMismatch "operator-type-mismatch" Warning "An operator of another type than the key's values."
    HelmNumber "helm-number" Warning "A number as Helm prints one that is not in quotes where it is set, such as 1.23456789012e+11 for an account id."
    UnknownAction "unknown-action" Warning "An action of a known service that AWS's service reference does not have, or a pattern that none of its actions matches."
    UnknownService "unknown-service" Warning "An action of a service that AWS's service reference does not have."
    ActionWithoutResource "action-without-resource" Warning "An action that takes none of the statement's resources, by AWS's service reference."
    UnknownConditionKey "unknown-condition-key" Warning "A condition key of a known service that AWS's service reference does not have, or nearly a global one."
    VariableOfUnknownKey "variable-of-unknown-key" Warning "A variable of such a key; it never has a value."
    ConditionKeyOfOtherAction "condition-key-of-other-action" Warning "A condition key of a service that none of the statement's actions has, by AWS's service reference."
    TemplateSyntax "template-syntax" Warning "Text of a template language that IAM takes as it stands: Terraform's &{…} and $${…}, or {{…}}."
    AddressBitsBeyondPrefix "address-bits-beyond-prefix" Warning "Bits of an address range after its prefix, which count for nothing."
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Code {
    /// Whether the finding is about a key of an object, not about its value.
    pub(crate) fn is_about_a_key(self) -> bool {
        matches!(
            self,
            Self::DuplicateKey
                | Self::UnknownElement
                | Self::PrincipalNotAllowed
                | Self::ResourceNotAllowed
                | Self::NotPrincipalNotAllowed
                | Self::NotPrincipalWithAllow
                | Self::NotActionNotAllowed
                | Self::UnknownOperator
                | Self::NullModifier
                | Self::InvalidConditionKey
                | Self::PlainOperatorOnListKey
                | Self::AllowNotAction
                | Self::AllowNotResource
                | Self::ForAllValuesWithoutNull
                | Self::NegatedOperatorOnAbsentKey
                | Self::NegatedForAnyValue
                | Self::ForAnyValueIfExists
                | Self::RedundantIfExists
                | Self::OperatorTypeMismatch
                | Self::UnknownConditionKey
                | Self::ConditionKeyOfOtherAction
        )
    }
}
