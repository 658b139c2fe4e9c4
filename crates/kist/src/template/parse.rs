//! Tokens to steps: Go's `text/template/parse/parse.go`, with its error texts.
//!
//! Nesting is bounded (`MAX_DEPTH`), so that no template can exhaust the stack.

use std::collections::{BTreeMap, BTreeSet};

use super::ast::{Body, Branch, Command, Operand, Pipe, Step, Word};
use super::funcs;
use super::gofmt::quote;
use super::lex::{Kind, Token, tokens};
use super::literal::{number, unquote};

/// How deep blocks and parentheses may nest.
const MAX_DEPTH: usize = 100;

/// A template and those it defines.
#[derive(Debug)]
pub(super) struct Tree {
    /// The outermost steps.
    pub(super) body: Body,
    /// By `{{define}}` and `{{block}}`.
    pub(super) defined: BTreeMap<String, Body>,
    /// Every field name spoken anywhere.
    pub(super) fields: BTreeSet<String>,
}

/// Parses; the error text is complete, from `template:` on.
pub(super) fn parse(text: &str) -> Result<Tree, String> {
    let mut parser = Parser {
        tokens: tokens(text),
        at: 0,
        vars: vec!["$".to_owned()],
        ranges: 0,
        depth: 0,
        action_line: 0,
        defined: BTreeMap::new(),
        fields: BTreeSet::new(),
    };
    let mut body = Body::new();
    while parser.peek().kind != Kind::Eof {
        if parser.at_define() {
            parser.definition()?;
            continue;
        }
        match parser.text_or_action()? {
            Item::Step(step) => body.push(step),
            Item::End => return Err(parser.fault("unexpected {{end}}")),
            Item::Else => return Err(parser.fault("unexpected {{else}}")),
        }
    }
    Ok(Tree { body, defined: parser.defined, fields: parser.fields })
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    vars: Vec<String>,
    ranges: usize,
    depth: usize,
    action_line: usize,
    defined: BTreeMap<String, Body>,
    fields: BTreeSet<String>,
}

enum Item {
    Step(Step),
    End,
    Else,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Control {
    If,
    With,
    Range,
}

impl Control {
    fn word(self) -> &'static str {
        match self {
            Control::If => "if",
            Control::With => "with",
            Control::Range => "range",
        }
    }
}

impl Parser {
    fn peek(&self) -> &Token {
        // The lexer ends every list with Eof or Error, and `next` stops there.
        &self.tokens[self.at]
    }

    fn next(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    fn peek_non_space(&mut self) -> &Token {
        while self.peek().kind == Kind::Space {
            self.next();
        }
        self.peek()
    }

    fn next_non_space(&mut self) -> Token {
        self.peek_non_space();
        self.next()
    }

    fn fault(&self, what: &str) -> String {
        // Go reports the line of the last token it took.
        let line = self.tokens[self.at.saturating_sub(1)].line;
        format!("template: :{line}: {what}")
    }

    fn unexpected(&self, token: &Token, context: &str) -> String {
        if token.kind != Kind::Error {
            return format!("template: :{}: unexpected {} in {context}", token.line, spell(token));
        }
        let mut extra = String::new();
        if self.action_line != 0 && self.action_line != token.line {
            let lead = if token.text.ends_with(" action") { " started at" } else { " in action started at" };
            extra = format!("{lead} :{}", self.action_line);
        }
        format!("template: :{}: {}{extra}", token.line, token.text)
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token, String> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(&token, context)) }
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.fault("max expression depth exceeded")) } else { Ok(()) }
    }

    fn at_define(&mut self) -> bool {
        if self.peek().kind != Kind::LeftDelim {
            return false;
        }
        let back = self.at;
        self.next();
        let found = self.next_non_space();
        let is_define = found.kind == Kind::Keyword && found.text == "define";
        if !is_define {
            self.at = back;
        }
        is_define
    }

    fn definition(&mut self) -> Result<(), String> {
        let name = self.string("define clause")?;
        self.expect(Kind::RightDelim, "define clause")?;
        let outer = std::mem::replace(&mut self.vars, vec!["$".to_owned()]);
        let (body, end) = self.items()?;
        self.vars = outer;
        if end == End::Else {
            return Err(self.fault("unexpected {{else}} in define clause"));
        }
        self.defined.insert(name, body);
        Ok(())
    }

    fn string(&mut self, context: &str) -> Result<String, String> {
        let token = self.next_non_space();
        match unquote(&token) {
            Some(text) => Ok(text),
            None if matches!(token.kind, Kind::Str | Kind::RawStr) => Err(self.fault("invalid syntax")),
            None => Err(self.unexpected(&token, context)),
        }
    }

    /// Steps up to `{{end}}` or `{{else}}`.
    fn items(&mut self) -> Result<(Body, End), String> {
        self.deeper()?;
        let mut body = Body::new();
        while self.peek().kind != Kind::Eof {
            let end = match self.text_or_action()? {
                Item::Step(step) => {
                    body.push(step);
                    continue;
                }
                Item::End => End::End,
                Item::Else => End::Else,
            };
            self.depth -= 1;
            return Ok((body, end));
        }
        self.next();
        let line = self.peek().line;
        Err(format!("template: :{line}: unexpected EOF"))
    }

    fn text_or_action(&mut self) -> Result<Item, String> {
        let token = self.next();
        if token.kind == Kind::Text {
            return Ok(Item::Step(Step::Text(token.text)));
        }
        if token.kind != Kind::LeftDelim {
            return Err(self.unexpected(&token, "input"));
        }
        self.action_line = token.line;
        let item = self.action()?;
        self.action_line = 0;
        Ok(item)
    }

    fn action(&mut self) -> Result<Item, String> {
        let back = self.at;
        let token = self.next_non_space();
        if token.kind == Kind::Keyword && token.text != "nil" {
            return self.keyword(&token);
        }
        self.at = back;
        Ok(Item::Step(Step::Action(self.pipeline("command", Kind::RightDelim)?)))
    }

    fn keyword(&mut self, token: &Token) -> Result<Item, String> {
        match token.text.as_str() {
            "if" => Ok(Item::Step(Step::If(self.control(Control::If)?))),
            "with" => Ok(Item::Step(Step::With(self.control(Control::With)?))),
            "range" => Ok(Item::Step(Step::Range(self.control(Control::Range)?))),
            "block" => self.block(),
            "template" => self.template(),
            "end" => {
                self.expect(Kind::RightDelim, "end")?;
                Ok(Item::End)
            }
            "else" => {
                let next = self.peek_non_space();
                if !(next.kind == Kind::Keyword && matches!(next.text.as_str(), "if" | "with")) {
                    self.expect(Kind::RightDelim, "else")?;
                }
                Ok(Item::Else)
            }
            word @ ("break" | "continue") => {
                let end = self.next_non_space();
                if end.kind != Kind::RightDelim {
                    return Err(self.unexpected(&end, &format!("{{{{{word}}}}}")));
                }
                if self.ranges == 0 {
                    return Err(self.fault(&format!("{{{{{word}}}}} outside {{{{range}}}}")));
                }
                Ok(Item::Step(if word == "break" { Step::Break } else { Step::Continue }))
            }
            _ => Err(self.unexpected(token, "command")),
        }
    }

    fn control(&mut self, control: Control) -> Result<Branch, String> {
        self.deeper()?;
        let vars = self.vars.len();
        let pipe = self.pipeline(control.word(), Kind::RightDelim)?;
        self.ranges += usize::from(control == Control::Range);
        let body = self.items()?;
        self.ranges -= usize::from(control == Control::Range);
        let (then, end) = body;
        let mut otherwise = Body::new();
        if end == End::Else {
            let chained = (self.peek().kind == Kind::Keyword).then(|| self.peek().text.clone());
            match (control, chained.as_deref()) {
                (Control::If, Some("if")) => {
                    self.next();
                    otherwise.push(Step::If(self.control(Control::If)?));
                }
                (Control::With, Some("with")) => {
                    self.next();
                    otherwise.push(Step::With(self.control(Control::With)?));
                }
                _ => {
                    let (body, end) = self.items()?;
                    if end == End::Else {
                        return Err(self.fault("expected end; found {{else}}"));
                    }
                    otherwise = body;
                }
            }
        }
        self.vars.truncate(vars);
        self.depth -= 1;
        Ok(Branch { pipe, then, otherwise })
    }

    fn block(&mut self) -> Result<Item, String> {
        let pos = self.peek_non_space().pos;
        let name = self.string("block clause")?;
        let pipe = self.pipeline("block clause", Kind::RightDelim)?;
        let outer = std::mem::replace(&mut self.vars, vec!["$".to_owned()]);
        let (body, end) = self.items()?;
        self.vars = outer;
        if end == End::Else {
            return Err(self.fault("unexpected {{else}} in block clause"));
        }
        self.defined.insert(name.clone(), body);
        Ok(Item::Step(Step::Template { pos, name, pipe: Some(pipe) }))
    }

    fn template(&mut self) -> Result<Item, String> {
        let pos = self.peek_non_space().pos;
        let name = self.string("template clause")?;
        let pipe = if self.peek_non_space().kind == Kind::RightDelim {
            self.next();
            None
        } else {
            Some(self.pipeline("template clause", Kind::RightDelim)?)
        };
        Ok(Item::Step(Step::Template { pos, name, pipe }))
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, String> {
        let pos = self.peek_non_space().pos;
        let mut pipe = Pipe { pos, declares: Vec::new(), assigns: false, commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let back = self.at;
            let token = self.next_non_space();
            if token.kind == end {
                self.check_pipeline(&pipe, context)?;
                return Ok(pipe);
            }
            let starts = matches!(
                token.kind,
                Kind::Bool
                    | Kind::CharConstant
                    | Kind::Dot
                    | Kind::Field
                    | Kind::Identifier
                    | Kind::Number
                    | Kind::RawStr
                    | Kind::Str
                    | Kind::Variable
                    | Kind::LeftParen
            ) || is_nil(&token);
            if !starts {
                return Err(self.unexpected(&token, context));
            }
            self.at = back;
            pipe.commands.push(self.command()?);
        }
    }

    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), String> {
        while self.peek_non_space().kind == Kind::Variable {
            let back = self.at;
            let variable = self.next();
            let sign = self.next_non_space();
            if matches!(sign.kind, Kind::Assign | Kind::Declare) {
                pipe.assigns = sign.kind == Kind::Assign;
                if pipe.assigns && !self.vars.contains(&variable.text) {
                    return Err(self.fault(&format!("undefined variable {}", quote(&variable.text))));
                }
                self.declare(pipe, variable.text);
                return Ok(());
            }
            if !(sign.kind == Kind::Char && sign.text == ",") {
                self.at = back;
                return Ok(());
            }
            self.declare(pipe, variable.text);
            if context != "range" || pipe.declares.len() >= 2 {
                return Err(self.fault(&format!("too many declarations in {context}")));
            }
            if !matches!(self.peek_non_space().kind, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                return Err(self.fault("range can only initialize variables"));
            }
        }
        Ok(())
    }

    fn declare(&mut self, pipe: &mut Pipe, name: String) {
        self.vars.push(name.clone());
        pipe.declares.push(name);
    }

    fn check_pipeline(&self, pipe: &Pipe, context: &str) -> Result<(), String> {
        if pipe.commands.is_empty() {
            return Err(self.fault(&format!("missing value for {context}")));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            let first = command.args.first().map(|arg| &arg.word);
            if matches!(
                first,
                Some(Word::Bool(_) | Word::Dot | Word::Nil | Word::Int(..) | Word::Float(..) | Word::Str(..))
            ) {
                return Err(self.fault(&format!("non executable command in pipeline stage {}", i + 1)));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command, String> {
        let mut command = Command { pos: self.peek_non_space().pos, args: Vec::new() };
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                command.args.push(operand);
            }
            let back = self.at;
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.at = back,
                Kind::Pipe => {}
                Kind::Eof
                | Kind::Error
                | Kind::Text
                | Kind::LeftDelim
                | Kind::Assign
                | Kind::Declare
                | Kind::LeftParen
                | Kind::Char
                | Kind::CharConstant
                | Kind::Str
                | Kind::RawStr
                | Kind::Number
                | Kind::Bool
                | Kind::Dot
                | Kind::Field
                | Kind::Variable
                | Kind::Identifier
                | Kind::Keyword => return Err(self.unexpected(&token, "operand")),
            }
            break;
        }
        if command.args.is_empty() { Err(self.fault("empty command")) } else { Ok(command) }
    }

    /// A term and the fields chained to it.
    fn operand(&mut self) -> Result<Option<Operand>, String> {
        let Some(first) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(first));
        }
        // As in Go, a chain's place is that of the first chained field.
        let pos = self.peek().pos;
        let mut chained = Vec::new();
        while self.peek().kind == Kind::Field {
            let field = self.next();
            chained.push(self.field(&field));
        }
        let word = match first.word {
            Word::Field(mut names) => {
                names.append(&mut chained);
                Word::Field(names)
            }
            Word::Variable(mut names) => {
                names.append(&mut chained);
                Word::Variable(names)
            }
            Word::Function(_) | Word::Pipe(_) | Word::Chain(..) => Word::Chain(Box::new(first), chained),
            Word::Dot | Word::Nil | Word::Bool(_) | Word::Int(..) | Word::Float(..) | Word::Str(..) => {
                return Err(self.fault(&format!("unexpected . after term {}", quote(&first.to_string()))));
            }
        };
        Ok(Some(Operand { pos, word }))
    }

    fn field(&mut self, token: &Token) -> String {
        let name = token.text.trim_start_matches('.').to_owned();
        self.fields.insert(name.clone());
        name
    }

    fn term(&mut self) -> Result<Option<Operand>, String> {
        let back = self.at;
        let token = self.next_non_space();
        let pos = token.pos;
        let word = match token.kind {
            Kind::Identifier if !funcs::is_known(&token.text) => {
                return Err(self.fault(&format!("function {} not defined", quote(&token.text))));
            }
            Kind::Identifier => Word::Function(token.text),
            Kind::Dot => Word::Dot,
            Kind::Variable if !self.vars.contains(&token.text) => {
                return Err(self.fault(&format!("undefined variable {}", quote(&token.text))));
            }
            Kind::Variable => Word::Variable(vec![token.text]),
            Kind::Field => Word::Field(vec![self.field(&token)]),
            Kind::Bool => Word::Bool(token.text == "true"),
            Kind::CharConstant | Kind::Number => number(&token).map_err(|what| self.fault(&what))?,
            Kind::Str | Kind::RawStr => {
                Word::Str(unquote(&token).ok_or_else(|| self.fault("invalid syntax"))?, token.text)
            }
            Kind::LeftParen => {
                self.deeper()?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.depth -= 1;
                return Ok(Some(Operand { pos: pipe.pos, word: Word::Pipe(pipe) }));
            }
            Kind::Keyword if token.text == "nil" => Word::Nil,
            Kind::Eof
            | Kind::Error
            | Kind::Text
            | Kind::LeftDelim
            | Kind::RightDelim
            | Kind::Space
            | Kind::Assign
            | Kind::Declare
            | Kind::Pipe
            | Kind::RightParen
            | Kind::Char
            | Kind::Keyword => {
                self.at = back;
                self.peek_non_space();
                return Ok(None);
            }
        };
        Ok(Some(Operand { pos, word }))
    }
}

#[derive(PartialEq, Eq)]
enum End {
    End,
    Else,
}

fn is_nil(token: &Token) -> bool {
    token.kind == Kind::Keyword && token.text == "nil"
}

/// Go's `item.String`.
fn spell(token: &Token) -> String {
    if token.kind == Kind::Eof {
        return "EOF".to_owned();
    }
    // To Go, a lone dot is a keyword.
    if matches!(token.kind, Kind::Keyword | Kind::Dot) {
        return format!("<{}>", token.text);
    }
    if token.text.len() > 10 {
        let cut: String = token.text.chars().take(10).collect();
        return format!("{}...", quote(&cut));
    }
    quote(&token.text)
}
