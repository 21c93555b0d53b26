//! From text to a checked tree: tokens, then recursive descent, with the place of each mistake.

use super::columns::{ColumnType, PartitionColumn};
use super::tree::{Comparison, Node};
use super::value::{self, Value};

/// The most parentheses and NOTs that may be open at once.
pub(super) const DEPTH_MAX: usize = 64;

/// What is wrong with a predicate, and at which character from 1.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) at: usize,
    pub(super) problem: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A bare word: a keyword or a column.
    Word(String),
    /// A column in back-ticks or double quotes.
    Quoted(String),
    /// The text of a string literal.
    Text(String),
    Number(String),
    Compare(Comparison),
    Open,
    Close,
    Comma,
    End,
}

/// A side of a comparison.
enum Operand {
    Column(PartitionColumn),
    Literal(Literal),
}

/// A literal before its column's type is known.
struct Literal {
    at: usize,
    text: String,
    /// `TEXT`, `NUMBER`, `BOOLEAN`, `DATE` or `TIMESTAMP`: how it was spelled.
    spelling: &'static str,
}

pub(super) fn parse(text: &str, columns: &[PartitionColumn]) -> Result<Node, Mistake> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0, columns };
    let node = parser.disjunction()?;
    match parser.peek() {
        Token::End => Ok(node),
        _ => parser.fail("the predicate should end here, or go on with AND or OR"),
    }
}

struct Parser<'a> {
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
    columns: &'a [PartitionColumn],
}

impl Parser<'_> {
    fn disjunction(&mut self) -> Result<Node, Mistake> {
        let mut nodes = vec![self.conjunction()?];
        while self.take_word("OR") {
            nodes.push(self.conjunction()?);
        }
        Ok(join(nodes, Node::Or))
    }

    fn conjunction(&mut self) -> Result<Node, Mistake> {
        let mut nodes = vec![self.negation()?];
        while self.take_word("AND") {
            nodes.push(self.negation()?);
        }
        Ok(join(nodes, Node::And))
    }

    fn negation(&mut self) -> Result<Node, Mistake> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fail("it is nested too deeply");
        }
        let node = if self.take_word("NOT") {
            Node::Not(Box::new(self.negation()?))
        } else if *self.peek() == Token::Open {
            self.next += 1;
            let node = self.disjunction()?;
            self.expect(&Token::Close, "a closing parenthesis")?;
            node
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Result<Node, Mistake> {
        let at = self.at();
        let left = self.operand()?;
        if let Token::Compare(comparison) = *self.peek() {
            self.next += 1;
            let right = self.operand()?;
            return match (left, right) {
                (Operand::Column(column), Operand::Literal(literal)) => {
                    let value = literal.value(&column)?;
                    Ok(Node::Compare(column, comparison, value))
                }
                (Operand::Literal(literal), Operand::Column(column)) => {
                    let value = literal.value(&column)?;
                    Ok(Node::Compare(column, comparison.flipped(), value))
                }
                _ => mistake(at, "a comparison needs one partition column and one literal"),
            };
        }
        let Operand::Column(column) = left else {
            return self.fail("a literal must be compared with a partition column");
        };
        if self.take_word("IS") {
            let negated = self.take_word("NOT");
            if !self.take_word("NULL") {
                return self.fail("NULL should stand here");
            }
            return Ok(negate_if(negated, Node::IsNull(column)));
        }
        let negated = self.take_word("NOT");
        if self.take_word("IN") {
            let values = self.list(&column)?;
            return Ok(negate_if(negated, Node::In(column, values)));
        }
        if !negated && column.column_type == ColumnType::Boolean {
            return Ok(Node::Compare(column, Comparison::Equal, Value::Boolean(true)));
        }
        self.fail("a comparison, IN or IS NULL should stand here")
    }

    fn list(&mut self, column: &PartitionColumn) -> Result<Vec<Value>, Mistake> {
        self.expect(&Token::Open, "an opening parenthesis")?;
        let mut values = Vec::new();
        loop {
            let at = self.at();
            let Operand::Literal(literal) = self.operand()? else {
                return mistake(at, "only literals can stand in a list");
            };
            values.push(literal.value(column)?);
            if *self.peek() != Token::Comma {
                break;
            }
            self.next += 1;
        }
        self.expect(&Token::Close, "a comma or a closing parenthesis")?;
        Ok(values)
    }

    fn operand(&mut self) -> Result<Operand, Mistake> {
        let at = self.at();
        let literal = |text: String, spelling| Ok(Operand::Literal(Literal { at, text, spelling }));
        match self.peek().clone() {
            Token::Text(text) => {
                self.next += 1;
                literal(text, "TEXT")
            }
            Token::Number(text) => {
                self.next += 1;
                literal(text, "NUMBER")
            }
            Token::Quoted(name) => {
                self.next += 1;
                self.column(at, &name).map(Operand::Column)
            }
            Token::Word(word) => {
                self.next += 1;
                let upper = word.to_ascii_uppercase();
                if let Token::Text(text) = self.peek().clone()
                    && let Some(spelling) = ["DATE", "TIMESTAMP"].into_iter().find(|s| *s == upper)
                {
                    self.next += 1;
                    return literal(text, spelling);
                }
                match upper.as_str() {
                    "TRUE" | "FALSE" => literal(word, "BOOLEAN"),
                    "NULL" => mistake(at, "nothing equals NULL: use IS NULL or IS NOT NULL"),
                    _ => self.column(at, &word).map(Operand::Column),
                }
            }
            _ => mistake(at, "a partition column or a literal should stand here"),
        }
    }

    fn column(&self, at: usize, name: &str) -> Result<PartitionColumn, Mistake> {
        let mut alike = self.columns.iter().filter(|column| column.name.eq_ignore_ascii_case(name));
        let exact = self.columns.iter().find(|column| column.name == name);
        let found = exact.or_else(|| alike.next());
        found.cloned().ok_or_else(|| {
            let names: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).collect();
            let known = match names.as_slice() {
                [] => "the table is not partitioned".to_owned(),
                names => format!("those are {}", names.join(", ")),
            };
            Mistake { at, problem: format!("{name} is not a partition column: {known}") }
        })
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(_, token)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(1, |(at, _)| *at)
    }

    fn take_word(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, token: &Token, name: &str) -> Result<(), Mistake> {
        if self.peek() != token {
            return self.fail(&format!("{name} should stand here"));
        }
        self.next += 1;
        Ok(())
    }

    fn fail<T>(&self, problem: &str) -> Result<T, Mistake> {
        mistake(self.at(), problem)
    }
}

impl Literal {
    /// Converts the literal to a value of `column`.
    fn value(&self, column: &PartitionColumn) -> Result<Value, Mistake> {
        let fits = match (&column.column_type, self.spelling) {
            (ColumnType::Opaque(_), _) => false,
            (_, "TEXT")
            | (ColumnType::Exact | ColumnType::Float, "NUMBER")
            | (ColumnType::Boolean, "BOOLEAN")
            | (ColumnType::Date, "DATE")
            | (ColumnType::Timestamp, "DATE" | "TIMESTAMP") => true,
            _ => false,
        };
        let value = value::parse(&column.column_type, &self.text).filter(|_| fits);
        value.ok_or_else(|| {
            let hint = match (&column.column_type, self.spelling) {
                (ColumnType::Text, "NUMBER" | "BOOLEAN") => ": put it in single quotes",
                _ => "",
            };
            let Self { at, text, .. } = self;
            let PartitionColumn { name, column_type, .. } = column;
            let problem = format!("{text:?} is no {column_type}, which {name} is{hint}");
            Mistake { at: *at, problem }
        })
    }
}

fn join(mut nodes: Vec<Node>, combine: fn(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        Some(last) => {
            nodes.push(last);
            combine(nodes)
        }
        None => combine(nodes),
    }
}

fn negate_if(negated: bool, node: Node) -> Node {
    if negated { Node::Not(Box::new(node)) } else { node }
}

fn mistake<T>(at: usize, problem: &str) -> Result<T, Mistake> {
    Err(Mistake { at, problem: problem.to_owned() })
}

/// Splits `text` into tokens, each with its place in characters from 1, and the end.
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Mistake> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        let second = chars.get(at + 1).copied();
        let start = at;
        at += 1;
        let token = match (first, second) {
            (c, _) if c.is_whitespace() => continue,
            ('(', _) => Token::Open,
            (')', _) => Token::Close,
            (',', _) => Token::Comma,
            ('<' | '>' | '=' | '!', _) => {
                let (comparison, length) = comparison(&chars[start..]).ok_or_else(|| Mistake {
                    at: start + 1,
                    problem: "an operator that is not known".to_owned(),
                })?;
                at = start + length;
                Token::Compare(comparison)
            }
            ('\'' | '"' | '`', _) => {
                let (inner, end) = quoted(&chars, start)?;
                at = end;
                if first == '\'' { Token::Text(inner) } else { Token::Quoted(inner) }
            }
            ('+' | '-', Some(c)) if c.is_ascii_digit() || c == '.' => number(&chars, &mut at),
            (c, _) if c.is_ascii_digit() || c == '.' => number(&chars, &mut at),
            (c, _) if c.is_alphanumeric() || c == '_' => {
                while chars.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                    at += 1;
                }
                Token::Word(chars[start..at].iter().collect())
            }
            _ => return mistake(start + 1, "a character that has no meaning here"),
        };
        let token = match token {
            Token::Number(_) => Token::Number(chars[start..at].iter().collect()),
            token => token,
        };
        tokens.push((start + 1, token));
    }
    tokens.push((chars.len() + 1, Token::End));
    Ok(tokens)
}

/// Moves past a number, whose text the caller takes.
fn number(chars: &[char], at: &mut usize) -> Token {
    while let Some(c) = chars.get(*at) {
        let is_sign = matches!(c, '+' | '-') && matches!(chars[*at - 1], 'e' | 'E');
        if !(c.is_alphanumeric() || *c == '.' || is_sign) {
            break;
        }
        *at += 1;
    }
    Token::Number(String::new())
}

/// Returns the comparison at the start of `chars` and its length.
fn comparison(chars: &[char]) -> Option<(Comparison, usize)> {
    let signs: String = chars.iter().take_while(|c| "<>=!".contains(**c)).collect();
    let comparison = match signs.as_str() {
        "=" | "==" => Comparison::Equal,
        "<>" | "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    };
    Some((comparison, signs.len()))
}

/// Returns the text between the quote at `start` and the closing one, where two quotes stand for
/// one, and the place after it.
fn quoted(chars: &[char], start: usize) -> Result<(String, usize), Mistake> {
    let quote = chars[start];
    let mut inner = String::new();
    let mut at = start + 1;
    while let Some(&c) = chars.get(at) {
        at += 1;
        if c != quote {
            inner.push(c);
        } else if chars.get(at) == Some(&quote) {
            inner.push(quote);
            at += 1;
        } else {
            return Ok((inner, at));
        }
    }
    mistake(start + 1, "the quote that starts here does not end")
}
