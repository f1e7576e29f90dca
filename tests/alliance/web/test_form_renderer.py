"""Forms do not cut what people paste."""

from django import forms

from parcels.portal.booking_forms import RecipientForm


def test_no_field_is_cut_by_the_browser() -> None:
    page = RecipientForm().as_p() + RecipientForm({"name": "x" * 121}).as_p()
    assert "maxlength" not in page


def test_long_text_is_refused_with_the_limit_and_kept() -> None:
    form = RecipientForm({"name": "王" * 121, "phone": "13812345678", "address": "1"})
    assert "120" in str(form.errors["name"])
    assert "王" * 121 in str(form["name"])


def test_other_attributes_stay() -> None:
    class Form(forms.Form):
        note = forms.CharField(max_length=5, widget=forms.Textarea(attrs={"rows": 2}))
        kind = forms.ChoiceField(choices=[("a", "A")])

    page = Form().as_p()
    assert 'rows="2"' in page
    assert "maxlength" not in page
    assert "False" not in page
