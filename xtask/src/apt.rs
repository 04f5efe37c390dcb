//! Debian packages: what is missing, and getting it.
//!
//! Installs as root or through a password-less sudo only; everyone else is told the one line to type.

use std::process::Command;

use crate::shell;

/// What decides whether the lack of a package ends the run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Without it there is nothing to test.
    Must,
    /// There is another way, which the caller names.
    Nice,
}

/// Makes sure that these packages are there. `false`: something nice is missing.
pub fn ensure(packages: &[&str], need: Need) -> Result<bool, String> {
    if shell::find("dpkg-query").is_none() {
        println!("note: no Debian here; this needs what Debian calls {}", packages.join(", "));
        return Ok(false);
    }
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !installed(name)).collect();
    if missing.is_empty() {
        return Ok(true);
    }
    let Some(privilege) = privilege() else {
        let line = format!("sudo apt-get install -y --no-install-recommends {}", missing.join(" "));
        return match need {
            Need::Must => Err(format!("these packages are missing and this user may not install: {line}")),
            Need::Nice => {
                println!("note: worth having: {line}");
                Ok(false)
            }
        };
    };
    match install(privilege, &missing) {
        Ok(()) => Ok(true),
        Err(error) if need == Need::Nice => {
            println!("note: {error}");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn install(privilege: &[&str], missing: &[&str]) -> Result<(), String> {
    // A list that is too old names versions that the mirror no longer has, hence `update` first.
    shell::run(apt(privilege).args(["update", "-qq"]))?;
    shell::run(apt(privilege).args(["install", "-y", "-qq", "--no-install-recommends"]).args(missing))
}

fn apt(privilege: &[&str]) -> Command {
    let mut words = privilege.iter().chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"].iter());
    let mut command = shell::command(words.next().unwrap_or(&"env"));
    command.args(words);
    command
}

fn installed(package: &str) -> bool {
    shell::output(shell::command("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

/// What goes before `apt-get`.
fn privilege() -> Option<&'static [&'static str]> {
    if shell::output(shell::command("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        return Some(&[]);
    }
    let sudo =
        shell::find("sudo").is_some() && shell::output(shell::command("sudo").args(["-n", "true"])).is_ok();
    sudo.then_some(&["sudo", "-n"])
}
