//! What messages say where Slack cannot reach the function, because it has no public address. No
//! I/O here.

use serde_json::Value;

use super::blocks::plain_section;

/// Instead of buttons.
const WORDS: &str = "Buttons and /promote do not work: the function has no public address, so \
                     Slack cannot reach it. Deploy ecr-promoter's template with PublicUrl=on, and \
                     give Slack the address. Without it, decide in words by SNS, as the \
                     notification mail says.";

/// Whether a message has a button.
pub fn has_buttons(blocks: &Value) -> bool {
    blocks.as_array().is_some_and(|blocks| blocks.iter().any(is_row_of_buttons))
}

/// Replaces each row of buttons by how to make them work.
pub fn replace_buttons(blocks: &mut Value) {
    for block in blocks.as_array_mut().into_iter().flatten().filter(|it| is_row_of_buttons(it)) {
        *block = plain_section(WORDS);
    }
}

fn is_row_of_buttons(block: &Value) -> bool {
    block["type"] == "actions"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn buttons_that_nobody_would_hear_are_replaced_by_words() {
        let text = json!({ "type": "section", "text": { "type": "mrkdwn", "text": "why" } });
        let mut blocks = json!([text, { "type": "actions", "elements": [] }, text]);
        assert!(has_buttons(&blocks));
        replace_buttons(&mut blocks);
        assert!(!has_buttons(&blocks));
        assert_eq!((&blocks[0], &blocks[2]), (&text, &text));
        assert!(blocks[1]["text"]["text"].as_str().is_some_and(|it| it.contains("PublicUrl=on")));
    }
}
