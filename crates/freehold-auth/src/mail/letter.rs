//! What mails say.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox};

use super::Claimed;
use crate::error::{Error, Result};
use crate::secret::Token;
use crate::settings::Settings;

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To whoever registered: confirm the address.
    Verify,
    /// To the owner of an account whose address somebody used anew.
    Exists,
    Reset,
    /// To the new address: confirm it.
    ChangeEmail,
    /// To the old address.
    EmailChanged,
    PasswordChanged,
    Deleted,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Verify,
        Self::Exists,
        Self::Reset,
        Self::ChangeEmail,
        Self::EmailChanged,
        Self::PasswordChanged,
        Self::Deleted,
    ];

    /// As it is written down.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Exists => "exists",
            Self::Reset => "reset",
            Self::ChangeEmail => "change_email",
            Self::EmailChanged => "email_changed",
            Self::PasswordChanged => "password_changed",
            Self::Deleted => "deleted",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::Verify => "Confirm your e-mail address",
            Self::Exists => "You already have an account",
            Self::Reset => "Set a new password",
            Self::ChangeEmail => "Confirm your new e-mail address",
            Self::EmailChanged => "Your e-mail address was changed",
            Self::PasswordChanged => "Your password was changed",
            Self::Deleted => "Your account was deleted",
        }
    }

    /// The page that a mail links to, under `AUTH_LINKS`.
    const fn page(self) -> Option<&'static str> {
        match self {
            Self::Verify => Some("verify"),
            Self::Reset => Some("reset"),
            Self::ChangeEmail => Some("email"),
            Self::Exists | Self::EmailChanged | Self::PasswordChanged | Self::Deleted => None,
        }
    }

    /// In lines of a plain mail.
    const fn text(self) -> &'static str {
        match self {
            Self::Verify => {
                "Somebody registered with this e-mail address.\n\
                 If it was you, confirm it within 24 hours:\n\n{link}\n\n\
                 If it was not you, do nothing.\n"
            }
            Self::Exists => {
                "Somebody asked to use this e-mail address for an account.\n\
                 It has one already, which is not changed by this.\n\n\
                 If it was you, log in; if you do not know the password\n\
                 any more, ask for a new one.\n"
            }
            Self::Reset => {
                "Somebody asked to set a new password for the account of\n\
                 this e-mail address. If it was you, do so within 30 minutes:\n\n{link}\n\n\
                 If it was not you, do nothing.\n"
            }
            Self::ChangeEmail => {
                "Somebody asked to use this e-mail address for an account.\n\
                 If it was you, confirm it within 24 hours:\n\n{link}\n\n\
                 If it was not you, do nothing.\n"
            }
            Self::EmailChanged => {
                "The e-mail address of your account was changed.\n\
                 Mails go to the new one from now on.\n\n\
                 If it was not you, tell us at once.\n"
            }
            Self::PasswordChanged => {
                "The password of your account was changed,\n\
                 and you were logged out elsewhere.\n\n\
                 If it was not you, ask for a new password at once.\n"
            }
            Self::Deleted => "Your account was deleted, as you asked.\n",
        }
    }
}

/// A mail with all it says.
pub(super) struct Letter<'l> {
    settings: &'l Settings,
    mail: &'l Claimed,
    kind: Kind,
    link: String,
}

impl<'l> Letter<'l> {
    pub(super) fn of(settings: &'l Settings, mail: &'l Claimed, token: &Token) -> Result<Self> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == mail.kind);
        let kind = kind.ok_or_else(|| Error::Mail(format!("kind {} is not known to this release", mail.kind)))?;
        // What follows a `#` stays in the browser, out of logs and referrers.
        let link = kind
            .page()
            .map(|page| format!("{}/{page}#{}", settings.links, token.text()));
        Ok(Self {
            settings,
            mail,
            kind,
            link: link.unwrap_or_default(),
        })
    }

    /// As it is sent: the same bytes each time, but for what the library chooses.
    pub(super) fn message(&self) -> Result<Message> {
        let from = &self.settings.mail_from;
        let to: lettre::Address = self
            .mail
            .recipient
            .parse()
            .map_err(|_| Error::Mail("the recipient is no address".to_owned()))?;
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(self.mail.created.unsigned_abs());
        let text = self.kind.text().replace("{link}", &self.link).replace('\n', "\r\n");
        // As it is: ASCII, no line of more than 998 bytes. Otherwise a long link would be broken into lines.
        let body = Body::dangerous_pre_encoded(text.into_bytes(), ContentTransferEncoding::SevenBit);
        let mut message = Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(format!("{} ({})", self.kind.subject(), self.settings.system))
            .message_id(Some(format!("<{}@{}>", self.mail.id, from.email.domain())))
            .date(written)
            .header(ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(|error| Error::Mail(error.to_string()))?;
        // RFC 3834: no robot answers.
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        message
            .headers_mut()
            .insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn settings() -> Settings {
        let given = [
            ("FREEHOLD_SYSTEM", "notes"),
            ("FREEHOLD_KEY", "0123456789abcdef0123456789abcdef"),
            ("AUTH_LINKS", "https://notes.example/account/"),
            ("AUTH_MAIL_FROM", "Notes <no-reply@notes.example>"),
        ];
        let settings = Settings::read(|name| given.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned()));
        settings.expect("settings")
    }

    fn mail(kind: Kind) -> Claimed {
        Claimed {
            id: Uuid::nil(),
            kind: kind.word().to_owned(),
            recipient: "ann@mail.example".to_owned(),
            created: 1_700_000_000,
            attempts: 1,
        }
    }

    #[test]
    fn a_mail_is_the_same_each_time_it_is_sent() {
        let (settings, mail) = (settings(), mail(Kind::Reset));
        let written = || {
            let token = Token::read(&"A".repeat(43)).expect("a token");
            let letter = Letter::of(&settings, &mail, &token).expect("a letter");
            String::from_utf8(letter.message().expect("a message").formatted()).expect("text")
        };
        let text = written();
        assert_eq!(text, written());
        for part in [
            "Message-ID: <00000000-0000-0000-0000-000000000000@notes.example>",
            "Subject: Set a new password (notes)",
            "Auto-Submitted: auto-generated",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn only_mails_with_a_page_hold_the_token() {
        let (settings, text) = (settings(), "A".repeat(43));
        for kind in Kind::ALL {
            let mail = mail(kind);
            let token = Token::read(&text).expect("a token");
            let letter = Letter::of(&settings, &mail, &token).expect("a letter");
            assert_eq!(letter.link.contains(&text), kind.page().is_some(), "{kind:?}");
            assert_eq!(kind.text().contains("{link}"), kind.page().is_some(), "{kind:?}");
        }
    }
}
