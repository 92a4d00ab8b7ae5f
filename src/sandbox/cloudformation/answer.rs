//! What CloudFormation answers: XML, read into the little that is used of it (AWS CloudFormation API Reference).

use std::collections::BTreeMap;

use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};

type Decoded<T> = Result<T, XmlDecodeError>;

/// One page of a list, and what asks for the next.
#[derive(Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// Of one item of a list: takes a part of it.
pub trait Take: Default {
    fn take(&mut self, part: &mut ScopedDecoder<'_, '_>) -> Decoded<()>;
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stack {
    pub name: String,
    /// Such as `CREATE_COMPLETE` (AWS CloudFormation User Guide, "Stack status codes").
    pub status: String,
    pub outputs: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// The resource's name in the template; the stack's own for the stack itself.
    pub logical_id: String,
    pub status: String,
    pub reason: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// Such as `AWS::S3::Bucket`.
    pub kind: String,
    pub physical_id: String,
}

/// An output of a stack.
#[derive(Default)]
struct Output {
    key: String,
    value: String,
}

impl Take for Stack {
    fn take(&mut self, part: &mut ScopedDecoder<'_, '_>) -> Decoded<()> {
        match part.start_el().local() {
            "StackName" => self.name = text(part)?,
            "StackStatus" => self.status = text(part)?,
            "Outputs" => self.outputs = members::<Output>(part)?.into_iter().map(|it| (it.key, it.value)).collect(),
            _ => {}
        }
        Ok(())
    }
}

impl Take for Event {
    fn take(&mut self, part: &mut ScopedDecoder<'_, '_>) -> Decoded<()> {
        match part.start_el().local() {
            "LogicalResourceId" => self.logical_id = text(part)?,
            "ResourceStatus" => self.status = text(part)?,
            "ResourceStatusReason" => self.reason = text(part)?,
            _ => {}
        }
        Ok(())
    }
}

impl Take for Resource {
    fn take(&mut self, part: &mut ScopedDecoder<'_, '_>) -> Decoded<()> {
        match part.start_el().local() {
            "ResourceType" => self.kind = text(part)?,
            "PhysicalResourceId" => self.physical_id = text(part)?,
            _ => {}
        }
        Ok(())
    }
}

impl Take for Output {
    fn take(&mut self, part: &mut ScopedDecoder<'_, '_>) -> Decoded<()> {
        match part.start_el().local() {
            "OutputKey" => self.key = text(part)?,
            "OutputValue" => self.value = text(part)?,
            _ => {}
        }
        Ok(())
    }
}

/// The list of this name in the answer to an action.
pub fn page<T: Take>(body: &[u8], action: &str, list: &str) -> Decoded<Page<T>> {
    let mut document = Document::try_from(body)?;
    let mut root = document.root_element()?;
    if root.start_el().local() != format!("{action}Response") {
        return Err(XmlDecodeError::custom(format!("no answer to {action}")));
    }
    let mut page = Page { items: Vec::new(), next: None };
    while let Some(mut result) = root.next_tag() {
        while let Some(mut part) = result.next_tag() {
            match part.start_el().local() {
                "NextToken" => page.next = Some(text(&mut part)?).filter(|token| !token.is_empty()),
                name if name == list => page.items = members(&mut part)?,
                _ => {}
            }
        }
    }
    Ok(page)
}

/// Code and message of an error in CloudFormation's own words; None for what anybody else says.
pub fn refusal(body: &[u8]) -> Option<(String, String)> {
    let mut document = Document::try_from(body).ok()?;
    let mut root = document.root_element().ok()?;
    let start = root.start_el();
    let ours = start.local() == "ErrorResponse" && start.attr("xmlns").is_some_and(|of| of.contains("cloudformation"));
    let mut error = if ours { root.next_tag().filter(|tag| tag.start_el().local() == "Error")? } else { return None };
    let (mut code, mut message) = (String::new(), String::new());
    while let Some(mut part) = error.next_tag() {
        match part.start_el().local() {
            "Code" => code = text(&mut part).ok()?,
            "Message" => message = text(&mut part).ok()?,
            _ => {}
        }
    }
    Some((code, message))
}

fn members<T: Take>(list: &mut ScopedDecoder<'_, '_>) -> Decoded<Vec<T>> {
    let mut items = Vec::new();
    while let Some(mut member) = list.next_tag() {
        let mut item = T::default();
        while let Some(mut part) = member.next_tag() {
            item.take(&mut part)?;
        }
        items.push(item);
    }
    Ok(items)
}

fn text(of: &mut ScopedDecoder<'_, '_>) -> Decoded<String> {
    try_data(of).map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACKS: &str = r#"<?xml version="1.0"?>
        <DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>
          <member><StackName>one</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>
            <member><OutputKey>claimctl</OutputKey><OutputValue>{&quot;a&quot;: &lt;1&gt; &amp; ü}</OutputValue></member>
            <member><OutputKey>other</OutputKey><OutputValue/></member></Outputs><Tags/></member>
          <member><StackName>two</StackName><StackStatus>DELETE_FAILED</StackStatus></member></Stacks>
          <NextToken>more of it</NextToken></DescribeStacksResult><ResponseMetadata><RequestId>1</RequestId>
        </ResponseMetadata></DescribeStacksResponse>"#;

    #[test]
    fn stacks_their_outputs_and_the_next_page_are_read() {
        let page = page::<Stack>(STACKS.as_bytes(), "DescribeStacks", "Stacks").unwrap();
        let names: Vec<_> = page.items.iter().map(|stack| (stack.name.as_str(), stack.status.as_str())).collect();
        assert_eq!(names, [("one", "CREATE_COMPLETE"), ("two", "DELETE_FAILED")]);
        assert_eq!(page.items[0].outputs["claimctl"], "{\"a\": <1> & ü}");
        assert_eq!((page.items[0].outputs["other"].as_str(), page.items[1].outputs.len()), ("", 0));
        assert_eq!(page.next.as_deref(), Some("more of it"));
    }

    #[test]
    fn the_answer_to_something_else_is_none() {
        for other in ["", "{}", "<html><p></html>", "<ListBucketResult/>", "\u{ff}", "<DescribeStacksResponse"] {
            assert!(page::<Stack>(other.as_bytes(), "DescribeStacks", "Stacks").is_err(), "{other:?}");
        }
        assert!(page::<Event>(STACKS.as_bytes(), "DescribeStackEvents", "StackEvents").is_err());
    }

    #[test]
    fn only_cloudformation_refuses_in_its_own_words() {
        let of = |xmlns: &str| {
            format!(
                "<ErrorResponse xmlns=\"{xmlns}\"><Error><Type>Sender</Type><Code>C</Code><Message>m</Message></Error></ErrorResponse>"
            )
        };
        let ours = of("http://cloudformation.amazonaws.com/doc/2010-05-15/");
        assert_eq!(refusal(ours.as_bytes()), Some(("C".to_owned(), "m".to_owned())));
        for other in [of("https://sts.amazonaws.com/doc/2011-06-15/"), "<Error><Code>C</Code></Error>".to_owned()] {
            assert_eq!(refusal(other.as_bytes()), None, "{other}");
        }
        assert_eq!(refusal(b"{\"__type\": \"C\"}"), None);
    }
}
