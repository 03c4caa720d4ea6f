//! Reads an expression: `IF(m1 > 15 AND m2 > 15, m1 / m2, 0)`.
//!
//! Names of metrics begin with a small letter, functions and words with a capital. From the
//! loosest to the tightest: OR, AND, comparisons, sums, products, a minus before, powers.

use super::{BadExpression, Node, Operator};

/// So many brackets may stand in one another.
const DEEPEST: usize = 64;
/// So many operators there may be: each goes one deeper.
const OPERATORS: usize = 256;

pub(super) fn parse(text: &str) -> Result<Node, BadExpression> {
    let mut parser = Parser { rest: text, depth: 0, operators: 0 };
    let node = parser.either()?;
    match parser.rest.trim_start() {
        "" => Ok(node),
        rest => Err(BadExpression(format!("it does not end before {rest:?}"))),
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
    operators: usize,
}

impl<'a> Parser<'a> {
    /// Takes the first of these that comes next.
    fn take(&mut self, signs: &[(&str, Operator)]) -> Option<Operator> {
        signs.iter().find(|(sign, _)| self.sign(sign)).map(|(_, operator)| *operator)
    }

    /// Takes a sign or a whole word, if it comes next.
    fn sign(&mut self, sign: &str) -> bool {
        self.rest = self.rest.trim_start();
        let Some(rest) = self.rest.strip_prefix(sign) else { return false };
        let word = sign.starts_with(|c: char| c.is_ascii_alphabetic());
        if word && rest.starts_with(is_inner) {
            return false;
        }
        self.rest = rest;
        true
    }

    fn need(&mut self, sign: &str) -> Result<(), BadExpression> {
        if self.sign(sign) {
            return Ok(());
        }
        Err(BadExpression(match self.rest {
            "" => format!("it ends where {sign:?} is missing"),
            rest => format!("{sign:?} is missing before {rest:?}"),
        }))
    }

    /// Operands of one kind of operator, from the left to the right.
    fn chain(
        &mut self,
        signs: &[(&str, Operator)],
        operand: fn(&mut Self) -> Result<Node, BadExpression>,
    ) -> Result<Node, BadExpression> {
        let mut left = operand(self)?;
        while let Some(operator) = self.take(signs) {
            self.operators += 1;
            if self.operators > OPERATORS {
                return Err(BadExpression(format!("it has more than {OPERATORS} operators")));
            }
            left = Node::Both(operator, Box::new([left, operand(self)?]));
        }
        Ok(left)
    }

    fn either(&mut self) -> Result<Node, BadExpression> {
        self.chain(&[("OR", Operator::Or), ("||", Operator::Or)], Self::all)
    }

    fn all(&mut self) -> Result<Node, BadExpression> {
        self.chain(&[("AND", Operator::And), ("&&", Operator::And)], Self::comparison)
    }

    fn comparison(&mut self) -> Result<Node, BadExpression> {
        let signs = [
            ("==", Operator::Equal),
            ("!=", Operator::Unequal),
            ("<=", Operator::AtMost),
            (">=", Operator::AtLeast),
            ("<", Operator::Below),
            (">", Operator::Above),
        ];
        self.chain(&signs, Self::sum)
    }

    fn sum(&mut self) -> Result<Node, BadExpression> {
        self.chain(&[("+", Operator::Plus), ("-", Operator::Minus)], Self::product)
    }

    fn product(&mut self) -> Result<Node, BadExpression> {
        self.chain(&[("*", Operator::Times), ("/", Operator::Over)], Self::negated)
    }

    fn negated(&mut self) -> Result<Node, BadExpression> {
        let mut minus = false;
        while self.sign("-") {
            minus = !minus;
        }
        let node = self.chain(&[("^", Operator::Power)], Self::exponent)?;
        let times = |node| Node::Both(Operator::Times, Box::new([Node::Number(-1.0), node]));
        Ok(if minus { times(node) } else { node })
    }

    /// What may stand on either side of a power: with a minus only on the right, but there is
    /// nothing to the left of a minus here.
    fn exponent(&mut self) -> Result<Node, BadExpression> {
        if self.sign("-") {
            let node = self.atom()?;
            return Ok(Node::Both(Operator::Times, Box::new([Node::Number(-1.0), node])));
        }
        self.atom()
    }

    fn atom(&mut self) -> Result<Node, BadExpression> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(BadExpression("its brackets are too deep".to_owned()));
        }
        let node = self.shallow()?;
        self.depth -= 1;
        Ok(node)
    }

    fn shallow(&mut self) -> Result<Node, BadExpression> {
        if self.sign("(") {
            let node = self.either()?;
            self.need(")")?;
            return Ok(node);
        }
        if self.sign("[") {
            return Ok(Node::List(self.items("]")?));
        }
        for quote in ["\"", "'"] {
            if self.sign(quote) {
                let Some((text, rest)) = self.rest.split_once(quote) else {
                    return Err(BadExpression("a quotation in it does not end".to_owned()));
                };
                self.rest = rest;
                return Ok(Node::Text(text.into()));
            }
        }
        if self.rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return self.number();
        }
        let name = self.leading(is_inner);
        match name.chars().next() {
            None if self.rest.is_empty() => Err(BadExpression("it ends too soon".to_owned())),
            None => Err(BadExpression(format!("nothing is known that begins {:?}", self.rest))),
            Some(first) if first.is_ascii_lowercase() => Ok(Node::Known(name.into())),
            Some(_) if self.sign("(") => Ok(Node::Call(name.into(), self.items(")")?)),
            Some(_) => Ok(Node::Word(name.into())),
        }
    }

    fn number(&mut self) -> Result<Node, BadExpression> {
        let mut text = self.leading(|c| c.is_ascii_digit() || c == '.').to_owned();
        let after = self.rest.strip_prefix(['e', 'E']).unwrap_or_default();
        if after.strip_prefix(['-', '+']).unwrap_or(after).starts_with(|c: char| c.is_ascii_digit())
        {
            let sign = usize::from(after.starts_with(['-', '+']));
            self.rest = &after[sign..];
            let digits = self.leading(|c| c.is_ascii_digit());
            text = format!("{text}e{}{digits}", &after[..sign]);
        }
        let number = text.parse().map_err(|_| BadExpression(format!("{text} is no number")))?;
        Ok(Node::Number(number))
    }

    /// Takes what such characters there are.
    fn leading(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !of(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// What stands between commas, up to the bracket that closes.
    fn items(&mut self, close: &str) -> Result<Vec<Node>, BadExpression> {
        let mut items = Vec::new();
        if self.sign(close) {
            return Ok(items);
        }
        loop {
            items.push(self.either()?);
            if self.sign(close) {
                return Ok(items);
            }
            self.need(",")?;
        }
    }
}

fn is_inner(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
