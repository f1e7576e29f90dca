"""Nobody becomes a member without accepting; inviting tells nothing about accounts."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alliance import mails
from alliance.choices import InvitationState, Role
from alliance.errors import Gone, NotFound, TooMany
from alliance.members.services import invitations
from alliance.models import AuditEntry, Invitation, Member, Organisation, OutgoingMail, User
from alliance.tenancy import Actor, Scope, scope
from tests import factories
from tests.alliance.helpers.pages import html_of

pytestmark = pytest.mark.django_db
EMAIL = "colleague@case.example"


def invite(client: Client, email: str = EMAIL, role: str = Role.AGENT) -> str:
    response = client.post(reverse("member_list"), {"email": email, "role": role}, follow=True)
    return html_of(response)


def newest() -> Invitation:
    with scope(Scope.everything()):
        return Invitation.objects.latest("pk")


def send_mails() -> None:
    with scope(Scope.everything()):
        ids = list(OutgoingMail.objects.order_by("pk").values_list("pk", flat=True))
    for mail_id in ids:
        mails.send_mail(mail_id=mail_id)


def answer(client: Client, invitation: Invitation, text: str) -> int:
    return client.post(reverse("invitation_answer", args=[invitation.pk]), {"answer": text}).status_code


def is_member(user: User) -> bool:
    with scope(Scope.everything()):
        return Member.objects.filter(user=user).exists()


def test_an_account_joins_only_by_accepting(
    merchant_client: Client, merchant_organisation: Organisation
) -> None:
    colleague = factories.user(EMAIL)
    invite(merchant_client, "Colleague@Case.example", Role.VIEWER)
    client = factories.logged_in(colleague)
    assert not is_member(colleague)
    # Whoever waits for nobody's decision may found its own company.
    assert client.get("/")["Location"] == reverse("onboarding")
    assert merchant_organisation.name in html_of(client.get(reverse("onboarding")))
    assert answer(client, newest(), "accept") == 302
    with scope(Scope.everything()):
        member = Member.objects.get(user=colleague)
        verbs = list(AuditEntry.objects.filter(object_type="invitation").values_list("verb", flat=True))
    assert (member.organisation_id, member.role) == (merchant_organisation.pk, Role.VIEWER)
    assert sorted(verbs) == ["member.invited", "member.joined"]
    # Again, as a double click would.
    assert answer(client, newest(), "accept") == 302


def test_mail_leads_who_has_no_account_through_sign_up(client: Client, merchant_client: Client) -> None:
    invite(merchant_client)
    send_mails()
    [sent] = mail.outbox
    assert sent.to == [EMAIL]
    path = re.search(r"http://127.0.0.1:8000(/invitations/\S+)", str(sent.body))
    assert path is not None
    page = html_of(client.get(path[1]))
    assert "Lotus Tea" in page
    assert "merchant@alliance.example" in page
    # No choice of merchant or courier: the person joins a company.
    sign_up = html_of(client.get(f"{reverse('account_signup')}?next={path[1]}"))
    assert 'name="kind"' not in sign_up
    password = factories.PASSWORD
    client.post(reverse("account_signup"), {"email": EMAIL, "password1": password, "password2": password})
    confirm = re.search(r"http://127.0.0.1:8000(/accounts/confirm-email/\S+)", str(mail.outbox[-1].body))
    assert confirm is not None
    client.post(confirm[1])
    assert "invites you" in html_of(client.get(reverse("onboarding")))
    assert answer(client, newest(), "accept") == 302
    assert client.get("/")["Location"] == reverse("parcels:dashboard_view")


def test_answer_does_not_tell_who_has_an_account(merchant_client: Client, courier_user: User) -> None:
    pages = [invite(merchant_client, email) for email in (courier_user.email, "nobody@case.example")]
    sentences = [re.search(r"An invitation was sent to \S+ It is valid for 7 days", page) for page in pages]
    assert all(sentences)
    send_mails()
    assert len(mail.outbox) == 2


def test_unconfirmed_address_proves_nothing(merchant_client: Client) -> None:
    impostor = User.objects.create_user(EMAIL, factories.PASSWORD)
    invite(merchant_client)
    assert answer(factories.logged_in(impostor), newest(), "accept") == 404
    assert not is_member(impostor)


def test_invitations_of_others_are_not_there(merchant_client: Client, courier_client: Client) -> None:
    invite(merchant_client)
    invitation = newest()
    for text in ("accept", "decline"):
        assert answer(courier_client, invitation, text) == 404
    address = reverse("invitation_withdraw", args=[invitation.pk])
    assert courier_client.post(address).status_code == 404
    # With the link, but as somebody else: told which address it is for, not let in.
    show = reverse("invitation_show", args=[invitations.token_of(invitation)])
    assert "You are logged in as courier@alliance.example" in html_of(courier_client.get(show))
    assert newest().state == InvitationState.PENDING


def test_staff_join_no_company(merchant_client: Client, ops_client: Client, ops_user: User) -> None:
    invite(merchant_client, ops_user.email)
    assert answer(ops_client, newest(), "accept") == 403
    assert not is_member(ops_user)


@pytest.mark.parametrize("end", ["declined", "withdrawn", "expired", "replaced"])
def test_ended_invitation_cannot_be_accepted(merchant_client: Client, end: str) -> None:
    colleague = factories.user(EMAIL)
    client = factories.logged_in(colleague)
    invite(merchant_client)
    invitation = newest()
    if end == "declined":
        answer(client, invitation, "decline")
    elif end == "withdrawn":
        page = merchant_client.post(reverse("invitation_withdraw", args=[invitation.pk]), follow=True)
        assert "was withdrawn" in html_of(page)
    elif end == "expired":
        with scope(Scope.everything()):
            Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    else:
        invite(merchant_client, role=Role.VIEWER)
    assert answer(client, invitation, "accept") == 410
    show = reverse("invitation_show", args=[invitations.token_of(invitation)])
    assert client.get(show).status_code == 410
    assert not is_member(colleague)


@pytest.mark.parametrize("token", ["1", "1:x", "nonsense", "%00"])
def test_made_up_link_is_a_404(client: Client, token: str) -> None:
    with pytest.raises(NotFound):
        invitations.invitation_of_token(token)


def test_invitations_are_listed_until_they_are_answered(merchant_client: Client) -> None:
    colleague = factories.user(EMAIL)
    invite(merchant_client)
    assert EMAIL in html_of(merchant_client.get(reverse("member_list")))
    answer(factories.logged_in(colleague), newest(), "decline")
    assert EMAIL not in html_of(merchant_client.get(reverse("member_list")))


def test_member_is_not_invited_again(merchant_client: Client, merchant_user: User) -> None:
    page = invite(merchant_client, merchant_user.email.upper())
    assert "is already a member" in page


@pytest.mark.parametrize("limit", ["INVITATIONS_OF_ORGANISATION", "INVITATIONS_BY_USER"])
def test_invitations_a_day_are_limited(merchant_client: Client, settings: object, limit: str) -> None:
    setattr(settings, limit, 2)
    pages = [invite(merchant_client, f"somebody{number}@case.example") for number in range(3)]
    assert ["2 invitations a day are the limit" in page for page in pages] == [False, False, True]
    with scope(Scope.everything()):
        Invitation.objects.update(created_at=timezone.now() - timedelta(days=1, seconds=1))
    assert "An invitation was sent" in invite(merchant_client, "tomorrow@case.example")


def test_limit_of_a_user_counts_all_its_organisations(
    merchant: Actor, rival_merchant: Organisation, merchant_user: User, settings: object
) -> None:
    settings.INVITATIONS_BY_USER = 1  # type: ignore[attr-defined]
    first = replace(merchant, user_id=merchant_user.pk)
    second = replace(first, organisation_id=rival_merchant.pk)
    with scope(Scope.of(first)):
        invitations.invite_member(actor=first, email=EMAIL, role=Role.AGENT)
    with scope(Scope.of(second)), pytest.raises(TooMany):
        invitations.invite_member(actor=second, email="other@case.example", role=Role.AGENT)


def test_address_gets_a_few_mails_a_day(merchant_client: Client, settings: object) -> None:
    settings.INVITATIONS_TO_ADDRESS = 2  # type: ignore[attr-defined]
    pages = [invite(merchant_client) for _time in range(3)]
    assert all("An invitation was sent" in page for page in pages)
    send_mails()
    assert len(mail.outbox) == 2


def test_name_of_the_organisation_is_no_link_in_the_mail(
    merchant_client: Client, merchant_organisation: Organisation
) -> None:
    with scope(Scope.everything()):
        Organisation.objects.update(name="Win at https://evil.example/now")
    invite(merchant_client)
    send_mails()
    [sent] = mail.outbox
    assert "evil.example" not in str(sent.body) + str(sent.alternatives[0][0]) + sent.subject


def test_mail_is_kept_until_it_was_sent(merchant_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(message: object) -> int:
        raise OSError("the mail server is down")

    invite(merchant_client)
    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMultiAlternatives.send", refuse)
        with pytest.raises(OSError, match="down"):
            send_mails()
    later = timezone.now() + mails.SWEEP_FROM + timedelta(seconds=1)
    assert mails.send_waiting_mails(now=later) == 1
    assert mails.send_waiting_mails(now=later) == 0
    assert len(mail.outbox) == 1


def test_old_invitations_are_forgotten(merchant_client: Client) -> None:
    invite(merchant_client)
    with scope(Scope.everything()):
        assert invitations.forget_old(before=timezone.now()) == 0
        assert invitations.forget_old(before=timezone.now() + timedelta(days=8)) == 1
    with pytest.raises(Gone):
        invitations.invitation_of_token(invitations.token_of(Invitation(pk=1)))
