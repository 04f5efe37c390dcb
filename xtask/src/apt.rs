//! Debian packages: what is missing, and getting it.
//!
//! Installs as root or through a password-less sudo only; everyone else is told the one line to type.

use std::process::Command;

use crate::shell;

/// Makes sure that these packages are there.
pub fn ensure(packages: &[&str]) -> Result<(), String> {
    if shell::find("dpkg-query").is_none() {
        println!("note: no Debian here; this needs what Debian calls {}", packages.join(", "));
        return Ok(());
    }
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let privilege = privilege().ok_or_else(|| {
        let line = format!("sudo apt-get install -y --no-install-recommends {}", missing.join(" "));
        format!("these packages are missing and this user may not install: {line}")
    })?;
    install(privilege, &missing)
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
