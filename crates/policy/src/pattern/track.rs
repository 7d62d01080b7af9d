//! Patterns run letter by letter, as sets of positions: what the product search and the certificate checker walk over.

use super::{
    arn::{ArnPattern, ResourcePattern},
    glob::{GlobToken, Pattern, fold},
    variable::{Variable, is_word},
};

/// One position of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Char(char),
    /// One character, or any run of them; `false`: but no colon, because parts of an ARN end there.
    One(bool),
    Many(bool),
    /// The value of a variable, as one letter of its own.
    Var(u16),
    /// The same for a value that has no colon.
    Word(u16),
    /// The value of a variable where AWS may take what is in it for a pattern ([`Variable::wild`]).
    Like(u16),
}

impl Step {
    /// Whether a run of it may have a colon.
    fn takes_a_colon(self) -> bool {
        !matches!(self, Self::Many(false) | Self::Word(_))
    }
}

/// A letter of a word: a character, or the whole value of a variable, whatever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Letter {
    Char(char),
    Var(u16),
    /// A text that is the value of a variable but for case: what a comparison without case takes for the value, and one
    /// with case may not.
    Folded(u16),
    /// The value of a variable that has no colon ([`super::variable::is_word`]).
    Word(u16),
    /// A text that the value of a variable matches if it is taken for a pattern, as the value itself does: what such a pattern
    /// takes for the value, and a comparison without wildcards may not.
    Like(u16),
}

/// What a variable is in the case that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VariableCase {
    /// The key is absent: the default holds, and a pattern with a variable without one matches nothing.
    Absent,
    /// The key has one value.
    Present,
    /// The key has several values: a pattern with the variable matches nothing.
    List,
}

/// The variables of a question by key (lower case, sorted), each with its case; the index is the letter.
pub(crate) type VariableCases = [(String, VariableCase)];

/// How a track treats variables, whose values nobody knows.
///
/// A question has one pattern whose variables are letters of the word ([`VariableReading::Exact`]): a text that the pattern
/// matches with the values *w* is such a word with *w* put in for the letters. Every other pattern is then asked either
/// what it surely matches or what it may match. (Facts: with two exact patterns `b${v}` and `bab*` seem to have nothing in
/// common, but `v` may be `ab`.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VariableReading {
    /// Variables are letters.
    Exact,
    /// What is matched for all values of the variables: letters are matched by themselves and by `*`.
    Surely,
    /// What is matched for some values.
    Maybe,
}

/// A pattern to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Track {
    steps: Vec<Step>,
    fold: bool,
    wide: bool,
}

impl Track {
    /// The pattern `*`.
    pub(crate) fn everything() -> Self {
        Self {
            steps: vec![Step::Many(true)],
            fold: false,
            wide: false,
        }
    }

    /// `service:Name`, both not empty and with one colon between them.
    pub(crate) fn any_action() -> Self {
        let word = [Step::One(false), Step::Many(false)];
        Self {
            steps: [&word[..], &[Step::Char(':')], &word[..]].concat(),
            fold: false,
            wide: false,
        }
    }

    /// Every ARN: `arn` and five more parts, of which the partition and the service are not empty. With
    /// [`VariableReading::Surely`], whatever the values of variables in the text are.
    pub(crate) fn any_arn_read(reading: VariableReading) -> Self {
        Self {
            wide: reading == VariableReading::Maybe,
            ..Self::any_arn()
        }
    }

    /// Every ARN without variables.
    pub(crate) fn any_arn() -> Self {
        let mut steps: Vec<Step> = "arn:".chars().map(Step::Char).collect();
        for _ in 0..2 {
            steps.extend([Step::One(false), Step::Many(false), Step::Char(':')]);
        }
        for _ in 0..2 {
            steps.extend([Step::Many(false), Step::Char(':')]);
        }
        steps.push(Step::Many(true));
        Self {
            steps,
            fold: false,
            wide: false,
        }
    }

    /// A pattern of text; `None` when it matches nothing in this case of the variables.
    pub(crate) fn text(pattern: &Pattern, cases: &VariableCases, reading: VariableReading) -> Option<Self> {
        let mut steps = Vec::with_capacity(pattern.tokens().len());
        append(&mut steps, pattern, cases, true)?;
        Some(Self {
            steps,
            fold: pattern.folds(),
            wide: reading == VariableReading::Maybe,
        })
    }

    /// An ARN pattern; `None` when it matches nothing in this case of the variables, or nothing for sure.
    pub(crate) fn arn(pattern: &ArnPattern, cases: &VariableCases, reading: VariableReading) -> Option<Self> {
        if pattern.lone_star {
            return Some(match reading {
                VariableReading::Surely => Self::any_arn(),
                VariableReading::Exact | VariableReading::Maybe => Self::everything(),
            });
        }
        let mut steps = Vec::new();
        // A value with a colon would not stay in its part, so nothing is sure there.
        let of_head = |part: &Pattern| {
            reading == VariableReading::Surely && !part.variables().iter().all(Variable::is_word)
        };
        if pattern.head.iter().any(of_head) {
            return None;
        }
        for part in &pattern.head {
            append(&mut steps, part, cases, false)?;
            steps.push(Step::Char(':'));
        }
        append(&mut steps, &pattern.rest, cases, true)?;
        Some(Self {
            steps,
            fold: false,
            wide: reading == VariableReading::Maybe,
        })
    }

    /// A resource pattern, as far as ARNs go.
    pub(crate) fn resource(
        pattern: &ResourcePattern,
        cases: &VariableCases,
        reading: VariableReading,
    ) -> Option<Self> {
        match pattern {
            ResourcePattern::Any => Some(Self::everything()),
            ResourcePattern::Arn(arn) => Self::arn(arn, cases, reading),
        }
    }

    /// Lower-cased text and nothing else, for texts in any case.
    pub(crate) fn folded(text: &str) -> Self {
        Self {
            steps: text.chars().map(Step::Char).collect(),
            fold: true,
            wide: false,
        }
    }

    /// How many positions there are; the last one accepts.
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    /// The positions before the first letter.
    pub(crate) fn start(&self, out: &mut impl FnMut(usize)) {
        self.arrive(0, out);
    }

    /// A position, and those behind runs that may be empty.
    fn arrive(&self, mut position: usize, out: &mut impl FnMut(usize)) {
        out(position);
        while self.steps.get(position).is_some_and(|step| self.is_run(*step)) {
            position += 1;
            out(position);
        }
    }

    fn is_run(&self, step: Step) -> bool {
        let value = matches!(step, Step::Var(_) | Step::Word(_) | Step::Like(_));
        matches!(step, Step::Many(_)) || (self.wide && value)
    }

    /// The positions after a letter. A letter for the value of a variable is taken by a run that may have a colon, or by a step
    /// for the same variable; a comparison that is stricter than the letter says (with case, without wildcards) does not take
    /// it.
    pub(crate) fn advance(&self, position: usize, letter: Letter, out: &mut impl FnMut(usize)) {
        let Some(step) = self.steps.get(position) else {
            // A value may end anywhere, also here.
            if self.wide && !matches!(letter, Letter::Char(_)) {
                out(position);
            }
            return;
        };
        match letter {
            // The value may be consumed by any of the steps that follow, whole or in parts.
            Letter::Var(_) | Letter::Folded(_) | Letter::Word(_) | Letter::Like(_) if self.wide => {
                (position..=self.steps.len()).for_each(out);
            }
            Letter::Var(v) => match step {
                // The value may have a colon.
                Step::Many(true) => self.arrive(position, out),
                Step::Var(w) | Step::Like(w) if *w == v => self.arrive(position + 1, out),
                _ => {}
            },
            Letter::Like(v) => match step {
                Step::Many(true) => self.arrive(position, out),
                Step::Like(w) if *w == v => self.arrive(position + 1, out),
                _ => {}
            },
            Letter::Folded(v) => match step {
                Step::Many(true) => self.arrive(position, out),
                Step::Var(w) if *w == v && self.fold => self.arrive(position + 1, out),
                _ => {}
            },
            Letter::Word(v) => match step {
                Step::Many(_) => self.arrive(position, out),
                Step::Word(w) if *w == v => self.arrive(position + 1, out),
                _ => {}
            },
            Letter::Char(c) => match step {
                step if self.is_run(*step) && (c != ':' || step.takes_a_colon()) => {
                    self.arrive(position, out);
                }
                Step::One(colon) if *colon || c != ':' => self.arrive(position + 1, out),
                Step::Char(expected) if self.takes(*expected, c) => self.arrive(position + 1, out),
                _ => {}
            },
        }
    }

    /// Whether a character is the expected one. What may be it when case does not matter is taken where variables are read widely, and what surely is it
    /// elsewhere.
    fn takes(&self, expected: char, c: char) -> bool {
        if c == expected {
            return true;
        }
        self.fold
            && match in_doubt(expected).contains(&c) {
                true => self.wide,
                false => fold(c) == expected,
            }
    }

    /// Whether a position makes earlier ones of the same track superfluous, because what they accept is accepted from here, too.
    ///
    /// INVARIANT: what leads from an earlier position to the run can be taken by the run. Two positions that are reached by the
    /// same text are in the same part of an ARN, so it has no colon, unless a variable of the part is read widely: its value may
    /// have one, which the run of a part does not take.
    pub(crate) fn is_at_run(&self, position: usize) -> bool {
        let takes_all = |step: &Step| self.is_run(*step) && (!self.wide || step.takes_a_colon());
        self.steps.get(position).is_some_and(takes_all)
    }

    /// Whether every word is accepted from here on, whatever the variables are.
    pub(crate) fn is_everything_from(&self, position: usize) -> bool {
        self.steps.get(position..) == Some(&[Step::Many(true)])
    }

    /// The letters that lead on from a position otherwise than an unexpected character does.
    ///
    /// INVARIANT: two letters that no position of a set expects lead to the same positions, or the walk over letters would not
    /// be complete.
    pub(crate) fn expected(&self, position: usize, out: &mut impl FnMut(Letter)) {
        match self.steps.get(position) {
            Some(Step::Char(c)) if self.fold => variants(*c).for_each(|c| out(Letter::Char(c))),
            Some(Step::Char(c)) => out(Letter::Char(*c)),
            Some(Step::Var(v)) if !self.wide && self.fold => out(Letter::Folded(*v)),
            Some(Step::Var(v)) if !self.wide => out(Letter::Var(*v)),
            Some(Step::Word(v)) if !self.wide => out(Letter::Word(*v)),
            Some(Step::Like(v)) if !self.wide => out(Letter::Like(*v)),
            Some(Step::One(false) | Step::Many(false) | Step::Word(_)) => out(Letter::Char(':')),
            _ => {}
        }
    }

    /// Whether case does not matter.
    pub(crate) fn folds(&self) -> bool {
        self.fold
    }
}

/// The characters that are a lower-case one when case does not matter, or may be.
fn variants(c: char) -> impl Iterator<Item = char> {
    let upper = c
        .to_uppercase()
        .next()
        .filter(|upper| *upper != c && fold(*upper) == c);
    std::iter::once(c).chain(upper).chain(in_doubt(c).iter().copied())
}

/// Characters that are this lower-case one by some tables of case and are not by others. AWS says "ignoring case" and not by which.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_String>
fn in_doubt(c: char) -> &'static [char] {
    match c {
        // With a dot above and without one.
        'i' => &['\u{130}', '\u{131}'],
        // The sign for kelvin.
        'k' => &['\u{212a}'],
        // The long s.
        's' => &['\u{17f}'],
        // The Greek letter, for which the sign stands.
        '\u{b5}' => &['\u{39c}', '\u{3bc}'],
        // The capital one, whose lower case it is and which is not its upper case.
        'ß' => &['\u{1e9e}'],
        // The sign for angstrom.
        'å' => &['\u{212b}'],
        _ => &[],
    }
}

fn append(steps: &mut Vec<Step>, pattern: &Pattern, cases: &VariableCases, colon: bool) -> Option<()> {
    for token in pattern.tokens() {
        match token {
            GlobToken::Char(c) => steps.push(Step::Char(*c)),
            GlobToken::One => steps.push(Step::One(colon)),
            GlobToken::Many => steps.push(Step::Many(colon)),
            GlobToken::Var(id) => {
                let variable: &Variable = pattern.variables().get(usize::from(*id))?;
                let index = cases.iter().position(|(key, _)| *key == variable.key)?;
                match cases.get(index)?.1 {
                    VariableCase::List => return None,
                    VariableCase::Present => {
                        let index = u16::try_from(index).ok()?;
                        steps.push(match (is_word(&variable.key), variable.wild) {
                            (true, _) => Step::Word(index),
                            (false, true) => Step::Like(index),
                            (false, false) => Step::Var(index),
                        });
                    }
                    VariableCase::Absent => {
                        let default = variable.default.as_ref()?;
                        let folded = |c: char| if pattern.folds() { fold(c) } else { c };
                        steps.extend(default.chars().map(|c| Step::Char(folded(c))));
                    }
                }
            }
        }
    }
    Some(())
}
