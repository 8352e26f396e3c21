//! The private networks that plugins may be led to.

use ipnet::IpNet;

use super::Workspace;

/// What the user's file and the project's grant. Where both say something, what both grant: a project cannot widen what the user
/// narrows.
pub fn private_networks(workspace: &Workspace) -> Vec<IpNet> {
    let files = workspace.files();
    let said = files.iter().filter_map(|(file, _)| file.plugins.security.private_networks.clone());
    said.reduce(|granted, also| common(&granted, &also)).unwrap_or_default()
}

/// Two networks are apart, or one is within the other.
fn common(a: &[IpNet], b: &[IpNet]) -> Vec<IpNet> {
    let both = |x: &IpNet, y: &IpNet| {
        let smaller = [(x, y), (y, x)].into_iter().find(|(large, small)| large.contains(*small));
        smaller.map(|(_, small)| *small)
    };
    a.iter().flat_map(|x| b.iter().filter_map(move |y| both(x, y))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_cannot_widen_what_the_user_narrows() {
        let networks = |texts: &[&str]| -> Vec<IpNet> {
            texts.iter().map(|text| text.parse().expect("it is a network")).collect()
        };
        let user = networks(&["10.0.0.0/16", "192.168.1.7/32"]);
        let project = networks(&["10.0.0.0/8", "192.168.1.0/24", "172.16.0.0/12"]);
        assert_eq!(common(&user, &project), networks(&["10.0.0.0/16", "192.168.1.7/32"]));
        assert_eq!(common(&project, &user), networks(&["10.0.0.0/16", "192.168.1.7/32"]));
        assert!(common(&user, &networks(&["fd00::/8"])).is_empty());
    }
}
